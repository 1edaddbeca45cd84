// SPDX-License-Identifier: Apache-2.0

package analysis

import (
	"strings"
	"testing"

	"github.com/ccee-dev/ccee/job"
)

// ran is a job whose run step ended with that verdict.
func ran(v job.Verdict, change func(*job.Result, *job.Step)) Input {
	step := job.Step{Name: "run", Verdict: v, Limits: job.Limits{WallMs: 3000, CPUMs: 2000, MemoryBytes: 128 * job.MiB, PidsMax: 64, FileSizeBytes: 1000}}
	r := &job.Result{Status: job.Failed, Verdict: v, WallMs: 40}
	if change != nil {
		change(r, &step)
	}
	r.Steps = append(r.Steps, step)
	return Input{Status: "failed", Language: "python", Source: "x", TimeoutMs: 3000, MemoryMb: 128, CPUMillicores: 256, Result: r}
}

func code(n int) func(*job.Result, *job.Step) {
	return func(r *job.Result, s *job.Step) {
		r.ExitCode, s.ExitCode = &n, &n
		if n == 0 {
			r.Status = job.Succeeded
		}
	}
}

func with(in Input, change func(*Input)) Input { change(&in); return in }

// testedFor is a job of three tests whose second one ended with that verdict.
func testedFor(v job.Verdict, change func(*job.TestResult)) Input {
	good := job.Step{Name: "run", Verdict: job.Exited}
	run := job.Step{Name: "run", Verdict: job.Exited, Limits: job.DefaultRun}
	bad := job.TestResult{Verdict: v, Run: &run}
	if change != nil {
		change(&bad)
	}
	r := &job.Result{Status: job.Failed, Verdict: v, Tests: &job.TestResults{Total: 3, Passed: 1, List: []job.TestResult{{Verdict: job.Accepted, Run: &good}, bad, {Verdict: job.NotRun}}}}
	if v == job.Accepted {
		r.Status = job.Succeeded
	}
	return Input{Status: "failed", Language: "python", Source: "x", TimeoutMs: 3000, MemoryMb: 128, Result: r}
}

func TestHeuristic(t *testing.T) {
	stderr := func(n int, text string) func(*job.Result, *job.Step) {
		return func(r *job.Result, s *job.Step) {
			code(n)(r, s)
			s.Stderr = job.Output{Data: []byte(text), Bytes: int64(len(text))}
		}
	}
	for name, tt := range map[string]struct {
		in                            Input
		summary, confidence, contains string
	}{
		"tests passed":   {testedFor(job.Accepted, nil), "Execution succeeded", high, "All 3 tests passed"},
		"a wrong answer": {testedFor(job.WrongAnswer, func(t *job.TestResult) { t.Message = "line 1: 4" }), "Execution gave a wrong answer", high, "Test 2 of 3, the first that did not pass (1 passed): line 1: 4."},
		"a checker failed": {testedFor(job.CheckerFailed, func(t *job.TestResult) {
			t.Checker = &job.Step{Name: "checker", Verdict: job.Signaled, Signal: "SIGSEGV"}
		}), "The checker failed", high, "ended with SIGSEGV"},
		"a test timed out":         {testedFor(job.WallTime, func(t *job.TestResult) { t.Run.Verdict = job.WallTime }), "Execution timed out", high, "Test 2 of 3"},
		"a test ran out of memory": {testedFor(job.OOMKilled, func(t *job.TestResult) { t.Run.Verdict = job.OOMKilled }), "Execution ran out of memory", high, "Test 2 of 3"},
		"queued":                   {Input{Status: "queued"}, "Execution in progress", high, "Keep polling"},
		"retrying":                 {Input{Status: "retrying"}, "Execution in progress", high, "add workers"},
		"dispatched":               {Input{Status: "dispatched"}, "Execution in progress", high, ""},
		"no result":                {Input{Status: "failed", Error: "the sandbox broke"}, "Execution metadata missing", low, "the sandbox broke"},
		"cancelled before":         {Input{Status: "cancelled"}, "Execution was cancelled", high, "rerun"},
		"succeeded":                {ran(job.Exited, code(0)), "Execution succeeded", high, "Print structured output"},
		"succeeded with output":    {ran(job.Exited, func(r *job.Result, s *job.Step) { code(0)(r, s); s.Stdout.Data = []byte("x") }), "Execution succeeded", high, "__main__"},
		"succeeded, cut":           {ran(job.Exited, func(r *job.Result, s *job.Step) { code(0)(r, s); s.Stdout.Truncated = true }), "Execution succeeded", high, "outputBytes"},
		"succeeded, long":          {with(ran(job.Exited, code(0)), func(in *Input) { in.Source = strings.Repeat("x\n", 121) }), "Execution succeeded", high, "modules"},
		"succeeded, 120 lines":     {with(ran(job.Exited, code(0)), func(in *Input) { in.Source = strings.Repeat("x\n\n", 120) }), "Execution succeeded", high, "!modules"},
		"succeeded, denied": {ran(job.Exited, func(r *job.Result, s *job.Step) {
			code(0)(r, s)
			s.DeniedSyscalls = []job.DeniedSyscall{{Name: "ptrace"}}
		}), "Execution succeeded", high, "ptrace"},
		"timed out, loop":     {with(ran(job.WallTime, func(_ *job.Result, s *job.Step) { s.Usage = job.Usage{WallMs: 3000, CPUUserMs: 2900} }), func(in *Input) { in.Source = "while True: pass" }), "Execution timed out", high, "unbounded loops"},
		"timed out, names it": {ran(job.WallTime, nil), "Execution timed out", high, "The timeout is 3000 ms"},
		"timed out, starved": {ran(job.WallTime, func(_ *job.Result, s *job.Step) {
			s.Usage, s.Evidence = job.Usage{WallMs: 3000, CPUUserMs: 9}, []job.Evidence{{Source: "timer wall"}, {Source: job.EvidenceStarved, Value: 2900}}
		}), "Execution timed out", high, "For 2900 ms it was ready to run"},
		"timed out, waiting":   {ran(job.WallTime, func(_ *job.Result, s *job.Step) { s.Usage = job.Usage{WallMs: 3000, CPUUserMs: 9} }), "Execution timed out", high, "it waited for something"},
		"cpu time":             {ran(job.CPUTime, nil), "Execution timed out", high, "CPU time of 2000 ms"},
		"traceback":            {ran(job.Exited, stderr(1, "Traceback (most recent call last):\n  File \"/workspace/main.py\", line 1, in <module>\n    f()\nValueError: no\n")), "Execution failed due to code error", high, "ValueError: no"},
		"words of a traceback": {ran(job.Exited, stderr(1, "Traceback, SyntaxError, NameError: no\n")), "Execution failed", low, "NameError: no"},
		"a test's traceback": {testedFor(job.Exited, func(t *job.TestResult) {
			n := 1
			t.Run.ExitCode, t.Run.Stderr.Data = &n, []byte("Traceback (most recent call last):\n  File \"/workspace/main.py\", line 1, in <module>\n    f()\nValueError: no\n")
			t.Run.Stderr.Bytes = int64(len(t.Run.Stderr.Data))
		}), "Execution failed due to code error", high, "Test 2 of 3"},
		"checker's compiler": {ran(job.Exited, func(r *job.Result, s *job.Step) { code(1)(r, s); s.Name, r.Verdict = "checker", job.CheckerFailed }), "Execution failed due to code error", high, "refused the checker"},
		"java exception":     {with(ran(job.Exited, stderr(1, "Exception in thread \"main\" java.lang.Error\n\tat Main.main(Main.java:1)\n")), func(in *Input) { in.Language = "java" }), "Execution failed due to code error", high, "Main"},
		"compiler":           {ran(job.Exited, func(r *job.Result, s *job.Step) { code(1)(r, s); s.Name = "compile" }), "Execution failed due to code error", high, "nothing was run"},
		"plain failure":      {ran(job.Exited, stderr(3, "no such order")), "Execution failed", low, "exit code 3"},
		"our fault":          {with(ran(job.Exited, code(3)), func(in *Input) { in.Error = "the attempt was interrupted" }), "Execution failed", medium, "infrastructure"},
		"out of memory": {ran(job.OOMKilled, func(_ *job.Result, s *job.Step) {
			s.Evidence = []job.Evidence{{Source: "memory.events oom_kill", Value: 1}}
		}), "Execution ran out of memory", high, "memory.events oom_kill: 1"},
		"flood":                   {ran(job.OutputLimit, func(_ *job.Result, s *job.Step) { s.Stdout.Bytes = 777 }), "Execution flooded its output", high, "777"},
		"pids":                    {ran(job.PidsLimit, nil), "Execution was refused more processes", high, "64"},
		"file size":               {ran(job.FileSize, nil), "Execution wrote too large a file", high, "1000"},
		"forbidden system call":   {ran(job.BadSyscall, func(_ *job.Result, s *job.Step) { s.DeniedSyscalls = []job.DeniedSyscall{{Name: "mount"}} }), "Execution made a forbidden system call", high, "mount"},
		"start failed":            {ran(job.StartFailed, func(_ *job.Result, s *job.Step) { s.Message = "execve: no such file" }), "Execution could not be started", medium, "execve"},
		"internal":                {ran(job.Internal, nil), "Execution could not be started", medium, "daemon's log"},
		"cancelled while running": {ran(job.VerdictCancelled, func(r *job.Result, _ *job.Step) { r.Status = job.StatusCancelled }), "Execution was cancelled", high, "Rerun"},
		"segfault":                {ran(job.Signaled, func(_ *job.Result, s *job.Step) { s.Signal = "SIGSEGV" }), "Execution crashed", high, "bad pointer"},
		"no steps":                {Input{Status: "failed", Result: &job.Result{Status: job.Failed, Verdict: job.Internal}}, "Execution could not be started", medium, ""},
	} {
		t.Run(name, func(t *testing.T) {
			a := Heuristic(tt.in)
			all := a.Explanation + "\n" + strings.Join(a.Suggestions, "\n")
			want, without := strings.CutPrefix(tt.contains, "!")
			if a.Summary != tt.summary || a.Confidence != tt.confidence || strings.Contains(all, want) == without {
				t.Errorf("%q (%s)\n%s\nwant %q (%s) with %q", a.Summary, a.Confidence, all, tt.summary, tt.confidence, tt.contains)
			}
			if a.Explanation == "" || len(a.Suggestions) == 0 || len(a.Suggestions) > MaxSuggestions {
				t.Errorf("%+v", a)
			}
			for _, s := range a.Suggestions {
				if s == "" {
					t.Error("an empty suggestion")
				}
			}
		})
	}
}

// However strange the output, what is said of it is bounded text.
func FuzzHeuristic(f *testing.F) {
	f.Add("Traceback", "x", 1)
	f.Fuzz(func(t *testing.T, stderr, source string, n int) {
		a := Heuristic(with(ran(job.Exited, func(r *job.Result, s *job.Step) { code(n)(r, s); s.Stderr.Data = []byte(stderr) }), func(in *Input) { in.Source = source }))
		if len(a.Explanation) > 2000 || a.Summary == "" {
			t.Errorf("%+v", a)
		}
	})
}

func TestRedact(t *testing.T) {
	for in, out := range map[string]string{
		"key = AKIAIOSFODNN7EXAMPLE":             "key = [redacted]",
		"export OPENAI=sk-abcdefghijklmnopqrstu": "export OPENAI=[redacted]",
		`password = "hunter2"; x = 1`:            `password = [redacted]; x = 1`,
		"API_KEY: abc123":                        "API_KEY: [redacted]",
		"mail bob@example.com now":               "mail [redacted] now",
		"redis://user:pw@host/0":                 "redis[redacted]host/0",
		"-----BEGIN RSA PRIVATE KEY-----\nabc\n-----END RSA PRIVATE KEY-----\nx": "[redacted]\nx",
		"ghp_abcdefghijklmnopqrstuvwxyz":                                         "[redacted]",
		"eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.abc":                               "[redacted]",
		"Authorization: Bearer abcdefgh.12":                                      "Authorization: [redacted]",
		"k = AIzaSyA1234567890abcdefghijklmnopqrs":                               "k = [redacted]",
		"sk_live_0123456789abcdef":                                               "[redacted]",
		"print(1 + 2)":                                                           "print(1 + 2)",
	} {
		if got := redact(in); got != out {
			t.Errorf("%q: %q, want %q", in, got, out)
		}
	}
}

// What was taken out of one part comes back in none.
func TestRedactedEverywhere(t *testing.T) {
	const secret = "hunter2supersecret"
	for _, redaction := range []Redaction{RedactSecrets, RedactSource} {
		m := &OpenAI{opts: OpenAIOptions{MaxSource: 20, Redaction: redaction}}
		in := ran(job.Exited, func(_ *job.Result, s *job.Step) {
			s.Stderr = job.Output{Data: []byte("NameError: name '" + secret + "' is not defined, nor x")}
			s.Stdout = job.Output{Data: []byte("<" + secret + ">")}
		})
		in.Source, in.Error = "password = "+secret+"\nshort_token = x", "in "+secret
		if p := m.Prompt(in); strings.Contains(p, "hunter2") || !strings.Contains(p, "is not defined, nor x") {
			t.Errorf("%s: the prompt is %s", redaction, p)
		}
	}
}
