// SPDX-License-Identifier: Apache-2.0

package plan

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/ccee-dev/ccee/job"
	"github.com/ccee-dev/ccee/nsjail"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// The profiles that the golden files are made with. They stand for the images' own, which change with their toolchains.
var (
	python = job.Language{Name: "python", SourceFile: "main.py", Run: []string{"/usr/bin/python3", "main.py"},
		Env: map[string]string{"PYTHONDONTWRITEBYTECODE": "1"}}
	java = job.Language{Name: "java", SourceFile: "Main.java", PublicClass: true,
		Compile:    []string{"/usr/bin/javac", "-d", ".", "{source}"},
		Run:        []string{"/usr/bin/java", "-Xmx{memory75MiB}m", "-cp", ".", "{class}"},
		MinRun:     job.Limits{MemoryBytes: 64 * job.MiB},
		DefaultRun: job.Limits{PidsMax: 200}}
)

func TestPlanGolden(t *testing.T) {
	for _, tt := range []struct {
		name string
		spec job.Spec
		lang job.Language
		slot int
	}{
		{"python_defaults", job.Spec{ID: "1", Source: "print(1)\n"}, python, 0},
		{"python_all", job.Spec{
			ID: "2", Source: "import sys\n", Stdin: []byte{0, 255}, Args: []string{"-v", "{source}", "two words"},
			Env:   map[string]string{"LANG": "de_DE.UTF-8", "B": "2"},
			Files: []job.File{{Name: "lib/a.py", Data: []byte("x")}, {Name: "run.sh", Data: []byte("#!"), Exec: true}},

			OutputFiles: []string{"*.txt", "out/**"},
			Run: job.Limits{WallMs: 1500, CPUMs: 900, CPUMillicores: 500, MemoryBytes: 64 * job.MiB, PidsMax: 7, FileSizeBytes: 5000,
				OpenFiles: 20, StackBytes: job.MiB, TmpBytes: 4096, TmpInodes: 10, WorkspaceBytes: 8192, WorkspaceInodes: 11, OutputBytes: 100, FloodBytes: 200, OutputTailBytes: 60},
			Interleave: true, Network: job.NetworkLoopback,
		}, python, 41},
		{"java", job.Spec{
			ID: "3", Source: "package a.b;\npublic final class App {}\n", Args: []string{"x"},
			Compile: job.Limits{WorkspaceBytes: job.MiB}, Run: job.Limits{WorkspaceBytes: 2 * job.MiB, WorkspaceInodes: 5},
		}, java, 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p, err := New(tt.spec, tt.lang)
			if err != nil {
				t.Fatal(err)
			}
			got := describe(t, p, tt.slot)
			file := filepath.Join("testdata", tt.name+".plan")
			if *update {
				if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if got != string(want) {
				t.Errorf("%s: got\n%s\nwant\n%s\nrun go test ./daemon/plan -run Golden -update when the change is meant", file, got, want)
			}
		})
	}
}

// describe writes a plan for people to review.
func describe(t *testing.T, p Plan, slot int) string {
	var b strings.Builder
	line := func(name string, v any) {
		data, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&b, "%-11s %s\n", name, data)
	}
	cfg := p.Config("/images/x", slot)
	fmt.Fprintf(&b, "sandbox\n")
	line("need", []int64{p.Need().Memory, p.Need().Millicores})
	line("root", cfg.Root)
	line("hostname", cfg.Hostname)
	line("uids", cfg.UIDMappings)
	line("gids", cfg.GIDMappings)
	for _, m := range cfg.Mounts {
		line("mount", m)
	}
	line("masked", cfg.MaskedPaths)
	line("loopback", cfg.Loopback)
	line("resources", cfg.Resources)
	if cfg.OpenDir != "" {
		line("open", cfg.OpenDir)
		line("outputs", p.Outputs)
	}
	for _, s := range p.Steps {
		proc := s.Process()
		fmt.Fprintf(&b, "\n%s\n", s.Name)
		line("args", proc.Args)
		line("env", proc.Env)
		line("as", fmt.Sprintf("%d:%d in %s, umask %o", proc.UID, proc.GID, proc.Cwd, proc.Umask))
		for _, f := range proc.Files {
			fmt.Fprintf(&b, "%-11s %o %s %q\n", "file", f.Mode, f.Name, f.Data)
		}
		line("stdin", proc.Stdin)
		for _, r := range proc.Rlimits {
			fmt.Fprintf(&b, "%-11s %s %d %d\n", "rlimit", rlimitName(r.Type), r.Soft, r.Hard)
		}
		line("resources", proc.Resources)
		fmt.Fprintf(&b, "%-11s wall %v, cpu %v, output %d, flood %d\n", "limits", proc.WallTime, proc.CPUTime, proc.OutputMax, proc.FloodMax)
		if proc.OutputTail > 0 || proc.Interleave {
			fmt.Fprintf(&b, "%-11s tail %d, interleave %v\n", "output", proc.OutputTail, proc.Interleave)
		}
	}
	return b.String()
}

func rlimitName(kind int) string {
	names := map[int]string{unix.RLIMIT_NOFILE: "NOFILE", unix.RLIMIT_CORE: "CORE", unix.RLIMIT_FSIZE: "FSIZE", unix.RLIMIT_NPROC: "NPROC",
		unix.RLIMIT_STACK: "STACK", unix.RLIMIT_MEMLOCK: "MEMLOCK", unix.RLIMIT_CPU: "CPU", unix.RLIMIT_MSGQUEUE: "MSGQUEUE",
		unix.RLIMIT_SIGPENDING: "SIGPENDING", unix.RLIMIT_NICE: "NICE", unix.RLIMIT_RTPRIO: "RTPRIO", unix.RLIMIT_AS: "AS"}
	return names[kind]
}

func TestPlanRefuses(t *testing.T) {
	for _, tt := range []struct {
		name  string
		lang  job.Language
		spec  job.Spec
		field string
	}{
		{"limit above the maximum", python, job.Spec{Source: "x", Run: job.Limits{WallMs: job.MaxLimits.WallMs + 1}}, "run.wallMs"},
		{"negative limit", python, job.Spec{Source: "x", Run: job.Limits{PidsMax: -1}}, "run.pidsMax"},
		{"below the language's minimum", java, job.Spec{Source: "x", Run: job.Limits{MemoryBytes: job.MiB}}, "run.memoryBytes"},
		{"compile limit, no compile step", python, job.Spec{Source: "x", Compile: job.Limits{CPUMs: 1 << 40}}, "compile.cpuMs"},
		{"no source", python, job.Spec{Files: []job.File{{Name: "other.py"}}}, "sourceCode"},
		{"source twice", python, job.Spec{Source: "x", Files: []job.File{{Name: "main.py"}}}, "files"},
		{"file is a directory", python, job.Spec{Source: "x", Files: []job.File{{Name: "a/b/c"}, {Name: "a"}}}, "files"},
		{"source is a directory", python, job.Spec{Source: "x", Files: []job.File{{Name: "main.py/c"}}}, "files"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := New(tt.spec, tt.lang)
			e, ok := err.(*job.Error)
			if !ok || e.Code != job.EInvalid || e.Field != tt.field {
				t.Errorf("New = %#v, want EInvalid for %s", err, tt.field)
			}
		})
	}
}

// What the text says is in daemon/javasource; here is what becomes of it.
func TestSourceNames(t *testing.T) {
	long := strings.Repeat("X", 251)
	const app = "public class App { }"
	for _, tt := range []struct {
		source      string
		files       []string
		file, class string
	}{
		{"class Main { }", nil, "Main.java", "Main"},
		{app, nil, "App.java", "App"},
		{"package a.b;\n" + app, nil, "App.java", "a.b.App"},
		{"class Solution { void main() { } }", nil, "Main.java", "Solution"},
		{"public class E\u0301te\u0301 { }", nil, "E\u0301te\u0301.java", "E\u0301te\u0301"}, // é as two code points
		{"public class हिन्दी { }", nil, "हिन्दी.java", "हिन्दी"},                            // has vowel signs and a virama
		{"package €_‿a; public class B { }", nil, "B.java", "€_‿a.B"},
		// No file can have the name: javac says so.
		{"public class " + long + " { }", nil, "Main.java", long},
		{app, []string{"App.java"}, "Main.java", "App"},
		{app, []string{"App.java/x"}, "Main.java", "App"},
		{app, []string{"app.java", "App", "App.javac"}, "App.java", "App"},
	} {
		spec := job.Spec{Source: tt.source}
		for _, name := range tt.files {
			spec.Files = append(spec.Files, job.File{Name: name})
		}
		file, class, err := sourceNames(&spec, &java)
		if err != nil || file != tt.file || class != tt.class {
			t.Errorf("sourceNames(%q, %q) = %q, %q, %v, want %q, %q", tt.source, tt.files, file, class, err, tt.file, tt.class)
		}
	}
}

func TestSourceInFiles(t *testing.T) {
	spec := job.Spec{Files: []job.File{{Name: "Main.java", Data: []byte("package p; class Main {}")}}}
	p, err := New(spec, java)
	if err != nil {
		t.Fatal(err)
	}
	if got := p.Steps[1].Args; got[len(got)-1] != "p.Main" {
		t.Errorf("run = %q, want class p.Main", got)
	}
}

// A plan must be one that nsjail takes: no field that nsjail demands may be forgotten.
func TestPlanLeavesNothingUnbounded(t *testing.T) {
	p, err := New(job.Spec{Source: "x"}, java)
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range p.Config("/x", 0).Mounts {
		if m.Size <= 0 || m.Inodes <= 0 {
			t.Errorf("mount %s has size %d and %d inodes, want both set", m.Destination, m.Size, m.Inodes)
		}
	}
	for _, s := range p.Steps {
		proc := s.Process()
		if proc.WallTime <= 0 || proc.CPUTime <= 0 || proc.OutputMax <= 0 || proc.FloodMax <= 0 || proc.Resources == (nsjail.Resources{}) {
			t.Errorf("step %s is not bounded: %+v", s.Name, proc)
		}
	}
}
