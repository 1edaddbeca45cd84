// SPDX-License-Identifier: Apache-2.0

package plan

import (
	"strings"
	"testing"

	"github.com/ccee-dev/ccee/job"
)

// warmed is a language with that profile and a runtime that can be started before there is a job.
func warmed(l job.Language) job.Language {
	l.Warm = []string{"/warm", "{source}"}
	l.WarmMemoryBytes = 7
	return l
}

// TestWarmProgram: which jobs a warm runtime can serve: those that ask for nothing that a program must know when it starts.
func TestWarmProgram(t *testing.T) {
	file := func(bytes int) job.Spec {
		return job.Spec{Source: "x", Files: []job.File{{Name: "f", Data: make([]byte, bytes)}}}
	}
	for _, tt := range []struct {
		name string
		lang job.Language
		spec job.Spec
		want bool
	}{
		{"usual", warmed(python), job.Spec{Source: "x"}, true},
		{"the language has none", python, job.Spec{Source: "x"}, false},
		{"arguments", warmed(python), job.Spec{Source: "x", Args: []string{"a"}}, false},
		{"environment", warmed(python), job.Spec{Source: "x", Env: map[string]string{"A": "b"}}, false},
		{"interleaved output", warmed(python), job.Spec{Source: "x", Interleave: true}, false},
		{"another rlimit", warmed(python), job.Spec{Source: "x", Run: job.Limits{OpenFiles: 99}}, false},
		{"stdin, files and another time limit", warmed(python), job.Spec{Source: "x", Stdin: []byte("y"), Files: []job.File{{Name: "f"}}, Run: job.Limits{WallMs: 1500, CPUMs: 900}}, true},
		{"memory that the runtime does not know", warmed(python), job.Spec{Source: "x", Run: job.Limits{MemoryBytes: 77 * job.MiB}}, true},
		{"a heap of the default size", warmed(java), job.Spec{Source: "x"}, true},
		{"a heap of 256 MiB", warmed(java), job.Spec{Source: "x", Run: job.Limits{MemoryBytes: 256 * job.MiB}}, true},
		{"a heap of another size", warmed(java), job.Spec{Source: "x", Run: job.Limits{MemoryBytes: 200 * job.MiB}}, false},
		{"the largest files to compile", warmed(java), file(warmFiles - 1), true},
		{"larger files to compile", warmed(java), file(warmFiles), false},
		{"large files, but nothing to compile", warmed(python), file(warmFiles), true},
	} {
		p, err := New(tt.spec, tt.lang)
		if err != nil {
			t.Fatal(err)
		}
		if got := p.WarmProgram(); (got != nil) != tt.want {
			t.Errorf("%s: program %v, want one: %v", tt.name, got, tt.want)
		}
	}
}

// TestWarmProcess: the runtime starts with nothing of a job, and with the largest limits of its steps.
func TestWarmProcess(t *testing.T) {
	p, err := New(job.Spec{Source: "secret", Stdin: []byte("secret"), Files: []job.File{{Name: "secret"}}}, warmed(java))
	if err != nil {
		t.Fatal(err)
	}
	got := p.WarmProgram()
	if len(got.Files) != 0 || got.Stdin != nil || strings.Join(got.Args, " ") != "/warm Main.java" {
		t.Errorf("the runtime starts with %q, %d files and %q", got.Args, len(got.Files), got.Stdin)
	}
	compile, run := p.Steps[0].Process(), p.Steps[1].Process()
	if want := max(compile.Resources.MemoryMax, run.Resources.MemoryMax) + 7; got.Resources.MemoryMax != want || !got.Resources.Idle || !got.MayPause {
		t.Errorf("resources %+v, may pause: %v; want %d bytes at idle priority", got.Resources, got.MayPause, want)
	}
	if got.Resources.PidsMax != max(compile.Resources.PidsMax, run.Resources.PidsMax) {
		t.Errorf("%d processes", got.Resources.PidsMax)
	}
}

// TestWarmed: each step but the last ends when the runtime pauses, and none is charged for the runtime.
func TestWarmed(t *testing.T) {
	p, err := New(job.Spec{Source: "x"}, warmed(java))
	if err != nil {
		t.Fatal(err)
	}
	w := p.Warmed()
	for i, s := range w.Steps {
		if s.MayPause != (i == 0) || s.MemoryExtra != 7 || p.Steps[i].MemoryExtra != 0 {
			t.Errorf("step %s: may pause %v, %d bytes extra", s.Name, s.MayPause, s.MemoryExtra)
		}
	}
}

// TestUsual: only sandboxes with the language's own sizes are prewarmed, so jobs can't make more kinds of them.
func TestUsual(t *testing.T) {
	for _, l := range []job.Limits{{}, {MemoryBytes: 64 * job.MiB}, {TmpBytes: 8192}, {TmpInodes: 9}, {WorkspaceBytes: 8192}, {WorkspaceInodes: 9}} {
		want := l.TmpBytes+l.TmpInodes+l.WorkspaceBytes+l.WorkspaceInodes == 0
		for name, spec := range map[string]job.Spec{"run": {Source: "x", Run: l}, "compile": {Source: "x", Compile: l}} {
			p, err := New(spec, java)
			if err != nil {
				t.Fatal(err)
			}
			if p.Usual() != want {
				t.Errorf("%s with %+v: usual %v, want %v", name, l, p.Usual(), want)
			}
		}
	}
}

// TestPrewarmConfig: what is prewarmed has the sandbox of the job, but neither its ids nor its limits.
func TestPrewarmConfig(t *testing.T) {
	p, err := New(job.Spec{Source: "x", Run: job.Limits{MemoryBytes: 64 * job.MiB, PidsMax: 3}, OutputFiles: []string{"*"}}, python)
	if err != nil {
		t.Fatal(err)
	}
	got, own := p.PrewarmConfig("/root"), p.Config("/root", 3)
	if got.UIDMappings != nil || got.GIDMappings != nil || got.Resources != resources(job.DefaultRun) {
		t.Errorf("ids %v and %v, resources %+v, want no ids and the defaults", got.UIDMappings, got.GIDMappings, got.Resources)
	}
	if got.Root != own.Root || got.OpenDir != WorkDir || len(got.Mounts) != len(own.Mounts) || len(got.MaskedPaths) != len(own.MaskedPaths) {
		t.Errorf("%+v, want the job's own sandbox %+v", got, own)
	}
}
