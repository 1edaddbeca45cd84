// SPDX-License-Identifier: Apache-2.0

package daemon

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ccee-dev/ccee/daemon/plan"
	"github.com/ccee-dev/ccee/job"
)

// profile reads a language as the repository has it.
func profile(t *testing.T, name string) job.Language {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "images", name, "language.json"))
	if err != nil {
		t.Fatal(err)
	}
	var lang job.Language
	if err := json.Unmarshal(text, &lang); err != nil {
		t.Fatal(err)
	}
	return lang
}

// startLimits are what a runtime needs in order to start, from min or from what is the least of all.
func startLimits(min job.Limits, millicores int64) job.Limits {
	min = min.Fill(job.MinLimits)
	return job.Limits{
		MemoryBytes: min.MemoryBytes, PidsMax: min.PidsMax, OpenFiles: min.OpenFiles, StackBytes: min.StackBytes,
		WallMs: job.MaxLimits.WallMs, CPUMs: job.MaxLimits.CPUMs, CPUMillicores: millicores,
	}
}

var hellos = map[string]string{
	"python": "print('hello')", "javascript": "console.log('hello')",
	"java": `public class Main { public static void main(String[] a) { System.out.println("hello"); } }`,
}

// TestMinimumLimits: each language starts at the least that may be asked for, all together, and less is refused by name.
func TestMinimumLimits(t *testing.T) {
	s := realDaemon(t, nil)
	for name, source := range hellos {
		lang := profile(t, name)
		spec := job.Spec{
			Language: name, Source: source, Run: startLimits(lang.MinRun, 2000),
			Args: []string{strings.Repeat("x", job.MaxArgBytes-1)}, Env: map[string]string{"X": strings.Repeat("x", job.MaxArgBytes-16)},
		}
		if len(lang.Compile) > 0 {
			spec.Compile = startLimits(lang.MinCompile, 2000)
		}
		if step := last(t, s.runSpec(t, spec)); !step.OK() || string(step.Stdout.Data) != "hello\n" {
			t.Errorf("%s at its minimum\n%s", name, describeStep(step))
		}
		for field, below := range map[string]job.Limits{
			"memoryBytes": {MemoryBytes: spec.Run.MemoryBytes - 1}, "openFiles": {OpenFiles: spec.Run.OpenFiles - 1},
			"stackBytes": {StackBytes: spec.Run.StackBytes - 1},
		} {
			_, err := plan.New(job.Spec{Language: name, Source: "x", Run: below}, lang)
			if job.ErrorCode(err) != job.EInvalid || !strings.Contains(err.Error(), "run."+field) || !strings.Contains(err.Error(), "is needed") {
				t.Errorf("%s below its %s: %v", name, field, err)
			}
		}
	}
}

// TestStartsThatFail: which limit kept a program from starting is in the verdict and its message, and none of that is to be
// tried again.
func TestStartsThatFail(t *testing.T) {
	s := realDaemon(t, nil)
	for name, source := range hellos {
		for _, tt := range []struct {
			limits  job.Limits
			verdict job.Verdict
		}{{job.Limits{WallMs: 1}, job.WallTime}, {job.Limits{CPUMs: 1}, job.CPUTime}, {job.Limits{FloodBytes: 1}, job.OutputLimit}} {
			step := last(t, s.runSpec(t, job.Spec{Language: name, Source: source, Run: tt.limits}))
			if step.Verdict != tt.verdict || len(step.Evidence) == 0 {
				t.Errorf("%s, %+v: want %s\n%s", name, tt.limits, tt.verdict, describeStep(step))
			}
		}
	}
	for _, tt := range []struct {
		name    string
		spec    job.Spec
		message string
	}{
		{"files too large", job.Spec{Run: job.Limits{WorkspaceBytes: 4096}, Files: []job.File{{Name: "f", Data: make([]byte, 5000)}}},
			"write file /workspace/f: no space left on device: raise workspaceBytes or workspaceInodes"},
		{"too many files", job.Spec{Run: job.Limits{WorkspaceInodes: 2}, Files: []job.File{{Name: "f"}}},
			"write file /workspace/f: no space left on device: raise workspaceBytes or workspaceInodes"},
	} {
		tt.spec.Language, tt.spec.Source = "python", hellos["python"]
		step := last(t, s.runSpec(t, tt.spec))
		if step.Verdict != job.StartFailed || step.Message != tt.message {
			t.Errorf("%s: want start_failed, %q\n%s", tt.name, tt.message, describeStep(step))
		}
	}
}

// TestUnchargedMemory: what the kernel charges to nobody is refused.
func TestUnchargedMemory(t *testing.T) {
	s := realDaemon(t, nil)
	source := "import errno, os, shutil\nopen('f', 'w').close()\n" +
		"try: os.setxattr('f', 'user.x', b'1')\nexcept OSError as e: print(errno.errorcode[e.errno])\n" +
		"shutil.copy2('f', 'g')\nos.listxattr('g')\nprint(os.path.exists('g'))"
	step := last(t, s.runSpec(t, job.Spec{Language: "python", Source: source}))
	if got, want := string(step.Stdout.Data), "ENOTSUP\nTrue\n"; got != want { // Linux has one number for both names
		t.Errorf("got %q, want %q\n%s", got, want, describeStep(step))
	}
}
