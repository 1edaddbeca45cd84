// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/ccee-dev/ccee/job"
	"github.com/ccee-dev/ccee/rootfs"

	"golang.org/x/sys/unix"
)

// bareHello runs the language's steps one after the other in a copy of its image's directory, without a jail.
func bareHello(ctx context.Context, store *rootfs.Store, dir string, p job.Spec) (contender, error) {
	image, err := store.Get(ctx, p.Language)
	if err != nil {
		return contender{}, err
	}
	tree, err := store.Unpack(ctx, image)
	if err != nil {
		return contender{}, err
	}
	var lang job.Language
	if err := json.Unmarshal([]byte(image.Labels[rootfs.LabelLanguage]), &lang); err != nil {
		return contender{}, fmt.Errorf("the profile of %s: %w", p.Language, err)
	}
	// A copy, to write the source into: a mount would need a namespace, and so more than a bare start.
	root := filepath.Join(dir, p.Language)
	if out, err := exec.CommandContext(ctx, "cp", "-a", tree, root).CombinedOutput(); err != nil {
		return contender{}, fmt.Errorf("copy the image of %s: %w: %s", p.Language, err, out)
	}
	// Loaders look for their libraries beside /proc/self/exe.
	if err := unix.Mount("proc", filepath.Join(root, "proc"), "proc", 0, ""); err != nil {
		return contender{}, fmt.Errorf("mount /proc: %w", err)
	}
	if err := os.WriteFile(filepath.Join(root, "workspace", lang.SourceFile), []byte(p.Source), 0o644); err != nil {
		return contender{}, err
	}
	steps := bareSteps(lang, root)
	return contender{name: "the runtime alone, bare", do: func(ctx context.Context) error {
		for _, step := range steps {
			if err := step.run(ctx); err != nil {
				return err
			}
		}
		return nil
	}}, nil
}

// bareSteps are the language's commands with the words filled in as a daemon does it.
func bareSteps(lang job.Language, root string) []program {
	class := strings.TrimSuffix(lang.SourceFile, filepath.Ext(lang.SourceFile))
	words := job.Words{Source: lang.SourceFile, Class: class, MemoryBytes: job.DefaultRun.MemoryBytes, CPUs: 1}
	var env []string
	for name, value := range lang.Env {
		env = append(env, name+"="+words.Expand(value))
	}
	var steps []program
	for _, argv := range [][]string{lang.Compile, lang.Run} {
		p := program{root: root, dir: "/workspace", env: env}
		for _, word := range argv {
			p.args = append(p.args, words.Expand(word))
		}
		if len(p.args) > 0 {
			steps = append(steps, p)
		}
	}
	return steps
}
