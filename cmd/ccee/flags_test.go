// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/urfave/cli/v3"
)

func TestIntFlag(t *testing.T) {
	for _, tt := range []struct {
		env  string
		args []string
		want int64
		err  string
	}{
		{"", nil, 4, ""},
		{"7", nil, 7, ""},
		{"7", []string{"--n", "9"}, 9, ""}, // flags win
		{"99", nil, 0, `"99" as int64 value from environment variable "TEST_N" for flag n: must be a whole number from 1 to 32`},
		{"x", nil, 0, `"x" as int64 value from environment variable "TEST_N" for flag n: must be a whole number from 1 to 32`},
		{"", []string{"--n", "0"}, 0, `invalid value "0" for flag -n: must be a whole number from 1 to 32`},
	} {
		t.Setenv("TEST_N", tt.env)
		var got int64
		c := &cli.Command{Name: "x", Writer: io.Discard, ErrWriter: io.Discard,
			Flags:        []cli.Flag{intFlag("n", "TEST_N", 4, 1, 32, "things")},
			OnUsageError: func(_ context.Context, _ *cli.Command, err error, _ bool) error { return err },
			Action: func(_ context.Context, cmd *cli.Command) error {
				got = cmd.Int64("n")
				return nil
			}}
		err := c.Run(t.Context(), append([]string{"x"}, tt.args...))
		switch {
		case tt.err == "" && (err != nil || got != tt.want):
			t.Errorf("TEST_N=%s %v: got %d, %v, want %d", tt.env, tt.args, got, err, tt.want)
		case tt.err != "" && (err == nil || !strings.Contains(err.Error(), tt.err)):
			t.Errorf("TEST_N=%s %v: got %v, want %q", tt.env, tt.args, err, tt.err)
		}
	}
}

func TestListenAddress(t *testing.T) {
	for _, tt := range []struct{ args, want string }{
		{"", "0.0.0.0:8080"},
		{"--dev", "127.0.0.1:8080"},
		{"--port 9", "0.0.0.0:9"},
		{"--listen 10.0.0.1:80", "10.0.0.1:80"},
		{"--dev --listen localhost:1", "localhost:1"},
		{"--dev --listen [::1]:1", "[::1]:1"},
		{"--dev --listen 127.9.9.9:1", "127.9.9.9:1"},
		{"--dev --listen 0.0.0.0:1", ""},
		{"--dev --listen :1", ""},
		{"--dev --listen 10.0.0.1:1", ""},
		{"--dev --listen [::]:1", ""},
		{"--listen 8080", ""},
	} {
		var got string
		var err error
		c := &cli.Command{Name: "x", Writer: io.Discard, Flags: []cli.Flag{devFlag(), listenFlag(), apiPortFlag()},
			Action: func(_ context.Context, cmd *cli.Command) error {
				got, err = listenAddress(cmd)
				return nil
			}}
		if e := c.Run(t.Context(), append([]string{"x"}, strings.Fields(tt.args)...)); e != nil {
			t.Fatal(e)
		}
		if got != tt.want || (err == nil) != (tt.want != "") {
			t.Errorf("%s: got %q, %v, want %q", tt.args, got, err, tt.want)
		}
	}
}

// TestSecretsHaveNoFlag: what must not be seen in ps can't be given as an argument.
func TestSecretsHaveNoFlag(t *testing.T) {
	for _, cmd := range app(io.Discard, io.Discard).Commands {
		for _, f := range cmd.Flags {
			d, ok := f.(cli.DocGenerationFlag)
			if !ok {
				t.Fatalf("%s: flag %v can't tell its environment variables", cmd.Name, f.Names())
			}
			for _, env := range d.GetEnvVars() {
				if slices.Contains(append(apiSecrets(), append(workerSecrets(), "CCEE_API_KEY")...), env) {
					t.Errorf("%s --%s can carry the secret %s", cmd.Name, f.Names()[0], env)
				}
			}
		}
	}
}
