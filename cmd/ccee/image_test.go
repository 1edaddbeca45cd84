// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestImageRefuses holds each mistake to an exit code and a sentence.
func TestImageRefuses(t *testing.T) {
	profile := filepath.Join(t.TempDir(), "language.json")
	if err := os.WriteFile(profile, []byte(`{"name":"x","sourceFil":"main.x","run":["/x"]}`), 0o644); err != nil {
		t.Fatal(err)
	}
	recipes := t.TempDir()
	for _, name := range []string{"java", "python", "no-recipe"} {
		if err := os.Mkdir(filepath.Join(recipes, name), 0o755); err != nil {
			t.Fatal(err)
		}
		if name == "no-recipe" {
			continue
		}
		if err := os.WriteFile(filepath.Join(recipes, name, "recipe.json"), []byte("{}"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	tests := []struct {
		name string
		args []string
		code int
		want string
	}{
		{"no such command", []string{"frob"}, 2, `there is no command "frob"`},
		{"no such image", []string{"rm", "none"}, 1, "ccee image build"},
		{"verify none", []string{"verify", "none"}, 1, "no such image"},
		{"rm nothing", []string{"rm"}, 2, "name the images"},
		{"list an image", []string{"list", "x"}, 2, "takes no argument"},
		{"no recipes", []string{"build", "--recipes", t.TempDir()}, 1, "--recipes"},
		{"no such recipe", []string{"build", "--recipes", recipes, "python", "nope"}, 1, `there is no recipe "nope" in ` + recipes + ": there are java, python"},
		{"import nothing", []string{"import"}, 2, "name one source"},
		{"misspelt profile", []string{"import", "--language", profile, "x.tar"}, 1, "sourceFil"},
		{"pull a tag", []string{"pull", "registry.example.com/python:1"}, 1, "a tag can be moved"},
		{"pull nothing", []string{"pull"}, 2, "@sha256:"},
		{"push without a place", []string{"push", "python"}, 2, "REPOSITORY:TAG"},
		{"push no layout", []string{"push", "./none", "registry.example.com/x:1"}, 1, "not an OCI image layout"},
		{"push to Docker's default", []string{"push", "python", "library/x:1"}, 1, "registry's host"},
		{"no such archive", []string{"import", "--name", "x", "/nonexistent.tar"}, 1, "no such file"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Setenv("CCEE_IMAGES", t.TempDir())
			var stdout, stderr bytes.Buffer
			code := run(t.Context(), append([]string{"ccee", "image"}, tt.args...), &stdout, &stderr)
			if code != tt.code || !strings.Contains(stderr.String(), tt.want) {
				t.Errorf("exit code %d, stderr %q, want %d and %q", code, stderr.String(), tt.code, tt.want)
			}
		})
	}
}

func TestSourceDateEpoch(t *testing.T) {
	t.Setenv("SOURCE_DATE_EPOCH", "1700000000")
	if got, err := sourceDateEpoch(); err != nil || got.Unix() != 1_700_000_000 {
		t.Errorf("got %v, %v", got, err)
	}
	t.Setenv("SOURCE_DATE_EPOCH", "yesterday")
	if _, err := sourceDateEpoch(); err == nil || !strings.Contains(err.Error(), "yesterday") {
		t.Errorf("got %v, want an error with the value", err)
	}
}
