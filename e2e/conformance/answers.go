// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"embed"
	"fmt"
	"io/fs"
	"path"
	"strings"
	"time"

	"github.com/ccee-dev/ccee/job"
)

// Programs with known answers, below answers/LANGUAGE: each line that one must print stands after "//> " in it. The answers are from
// the language's documentation.
//
//go:embed answers
var answerPrograms embed.FS

// answersSuite is these programs.
func answersSuite(ctx context.Context, o *options) (*suite, func(), error) {
	m, beside, err := o.tenants(ctx)
	if err != nil {
		return nil, nil, err
	}
	units, err := answerUnits()
	if err != nil {
		m.stop()
		return nil, nil, err
	}
	return &suite{name: "answers", title: "programs with known answers", source: "the documentation of Java 25 and Node.js 24", inside: m.jail, outside: beside,
		units: units, mustPass: true}, m.stop, nil
}

func answerUnits() ([]unit, error) {
	var units []unit
	err := fs.WalkDir(answerPrograms, "answers", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		source, err := fs.ReadFile(answerPrograms, name)
		language := path.Base(path.Dir(name))
		for _, args := range [][]string{nil, {"cold"}} {
			units = append(units, answerUnit(language, strings.TrimPrefix(name, "answers/"), string(source), args))
		}
		return err
	})
	return units, err
}

// answerUnit runs one program; each line that it prints is a test.
func answerUnit(language, name, source string, args []string) unit {
	var want []string
	for line := range strings.Lines(source) {
		if _, text, ok := strings.Cut(line, "//> "); ok {
			want = append(want, strings.TrimSuffix(text, "\n"))
		}
	}
	name = strings.Join(append([]string{name}, args...), " ")
	return unit{name, func(ctx context.Context, at place, _ []string) (results, error) {
		out, err := at.run(ctx, program{language: language, source: source, args: args, wall: time.Minute,
			limits: job.Limits{CPUMs: job.MaxLimits.CPUMs, CPUMillicores: 2000}})
		if err != nil {
			return nil, err
		}
		r := results{name + " end": {State: pass}}
		got := strings.Split(strings.TrimSuffix(out.stdout, "\n"), "\n")
		if out.end != "exit 0" || out.stderr != "" || len(got) != len(want) {
			r[name+" end"] = outcome{fail, clip(strings.ReplaceAll(fmt.Sprintf("%s, %d lines of %d: %s", out.end, len(got), len(want), strings.TrimSpace(out.stderr)), "\n", " | "))}
		}
		for i, line := range want {
			o := outcome{State: pass}
			if i >= len(got) || got[i] != line {
				o = outcome{fail, clip(fmt.Sprintf("%q, want %q", got[min(i, len(got)-1)], line))}
			}
			r[fmt.Sprintf("%s %d", name, i)] = o
		}
		return r, nil
	}}
}
