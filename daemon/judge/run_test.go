// SPDX-License-Identifier: Apache-2.0

package judge

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/ccee-dev/ccee/daemon/plan"
	"github.com/ccee-dev/ccee/job"
	"github.com/ccee-dev/ccee/nsjail"
)

// script is a Runner whose programs do what the test says, one after another.
type script struct {
	t      *testing.T
	steps  []job.Step    // what comes of each run
	err    error         // of the run after the last one
	built  []nsjail.File // what builds leave
	why    string        // why that can't be copied
	calls  []string      // what was asked for, in order
	plans  []plan.Plan
	open   int // workspaces that are not closed
	onRun  func(n int)
	events []job.Event
}

func (s *script) next(p plan.Plan, root string, hidden bool) (job.Step, error) {
	s.t.Helper()
	s.calls = append(s.calls, fmt.Sprintf("%s %s %v", p.Steps[0].Name, root, hidden))
	s.plans = append(s.plans, p)
	if s.onRun != nil {
		s.onRun(len(s.calls))
	}
	if len(s.steps) == 0 {
		if s.err == nil {
			s.t.Fatalf("one run too many: %v", s.calls)
		}
		return job.Step{}, s.err
	}
	step := s.steps[0]
	s.steps = s.steps[1:]
	step.Name = p.Steps[0].Name
	return step, nil
}

func (s *script) Run(_ context.Context, p plan.Plan, root string, hidden bool) (job.Step, error) {
	return s.next(p, root, hidden)
}

func (s *script) Build(_ context.Context, p plan.Plan, root string, hidden bool) (job.Step, Workspace, error) {
	step, err := s.next(p, root, hidden)
	if err != nil || !step.OK() {
		return step, nil, err
	}
	s.open++
	return step, left{s}, nil
}

func (s *script) Emit(ev job.Event) { s.events = append(s.events, ev) }

// left is a workspace that a build left.
type left struct{ by *script }

func (l left) Files() ([]nsjail.File, string) { return l.by.built, l.by.why }
func (l left) Dir() int                       { return 42 }
func (l left) Close() error                   { l.by.open--; return nil }

// ended is a step with that exit code and output.
func ended(code int, stdout string) job.Step {
	return job.Step{Verdict: job.Exited, ExitCode: &code, Stdout: job.Output{Data: []byte(stdout), Bytes: int64(len(stdout))}}
}

func died(v job.Verdict) job.Step { return job.Step{Verdict: v, Signal: "SIGKILL", Message: string(v)} }

func expect(s string) *[]byte { b := []byte(s); return &b }

// verdicts are those of all tests, and the first message.
func verdicts(res *job.TestResults) string {
	var list []string
	message := ""
	for _, r := range res.List {
		list = append(list, string(r.Verdict))
		if message == "" && r.Message != "" {
			message = ": " + r.Message
		}
	}
	return fmt.Sprintf("%d of %d: %s%s", res.Passed, res.Total, strings.Join(list, " "), message)
}

// TestRun: what becomes of a job by how its programs end. Whatever happens, every workspace is closed.
func TestRun(t *testing.T) {
	three := []job.Test{{Name: "1", Expected: expect("a")}, {Name: "2", Expected: expect("a")}, {Name: "3", Expected: expect("a")}}
	ok := ended(0, "")
	for _, tt := range []struct {
		name    string
		lang    job.Language
		tests   job.Tests
		steps   []job.Step
		calls   string
		status  job.Status
		verdict job.Verdict
		want    string
	}{
		{"all pass", python, job.Tests{List: three}, []job.Step{ended(0, "a"), ended(0, "a\n"), ended(0, "a")},
			"run /root false, run /root false, run /root false", job.Succeeded, job.Exited, "3 of 3: accepted accepted accepted"},
		{"one fails", python, job.Tests{List: three}, []job.Step{ended(0, "a"), ended(0, "b"), ended(0, "a")},
			"run /root false, run /root false, run /root false", job.Failed, job.WrongAnswer, `2 of 3: accepted wrong_answer accepted: line 1: "b", expected "a"`},
		{"the first failure counts", python, job.Tests{List: three}, []job.Step{ended(0, "a"), died(job.OOMKilled), died(job.WallTime)},
			"run /root false, run /root false, run /root false", job.Failed, job.OOMKilled, "1 of 3: accepted oom_killed wall_time: oom_killed"},
		{"stops at a failure", python, job.Tests{List: three, StopOnFailure: true}, []job.Step{ended(0, "a"), ended(0, "b")},
			"run /root false, run /root false", job.Failed, job.WrongAnswer, `1 of 3: accepted wrong_answer skipped: line 1: "b", expected "a"`},
		{"stops at nothing else", python, job.Tests{List: three, StopOnFailure: true}, []job.Step{ended(0, "a"), ended(0, "a"), ended(0, "a")},
			"run /root false, run /root false, run /root false", job.Succeeded, job.Exited, "3 of 3: accepted accepted accepted"},
		{"is cancelled in a test", python, job.Tests{List: three}, []job.Step{ended(0, "b"), died(job.VerdictCancelled)},
			"run /root false, run /root false", job.StatusCancelled, job.VerdictCancelled, `0 of 3: wrong_answer cancelled skipped: line 1: "b", expected "a"`},
		{"is built once", java, job.Tests{List: three}, []job.Step{ok, ended(0, "a"), ended(0, "a"), ended(0, "a")},
			"compile /root false, run /root false, run /root false, run /root false", job.Succeeded, job.Exited, "3 of 3: accepted accepted accepted"},
		{"does not compile", java, job.Tests{List: three}, []job.Step{ended(1, "error")},
			"compile /root false", job.Failed, job.Exited, "0 of 3: skipped skipped skipped"},
		{"is cancelled while it compiles", java, job.Tests{List: three}, []job.Step{died(job.VerdictCancelled)},
			"compile /root false", job.StatusCancelled, job.VerdictCancelled, "0 of 3: skipped skipped skipped"},
		{"a checker is built, hidden", java, job.Tests{List: three[:1], Checker: &job.Checker{Source: "x"}}, []job.Step{ok, ok, ended(0, "a"), ok},
			"compile /root false, compile /checker true, run /root false, checker /checker true", job.Succeeded, job.Exited, "1 of 1: accepted"},
		{"a checker does not compile", java, job.Tests{List: three, Checker: &job.Checker{Source: "x"}}, []job.Step{ok, ended(1, "")},
			"compile /root false, compile /checker true", job.Failed, job.CheckerFailed, "0 of 3: skipped skipped skipped"},
		{"a checker's build is cancelled", java, job.Tests{List: three, Checker: &job.Checker{Source: "x"}}, []job.Step{ok, died(job.VerdictCancelled)},
			"compile /root false, compile /checker true", job.StatusCancelled, job.VerdictCancelled, "0 of 3: skipped skipped skipped"},
		{"the program does not compile, so no checker is built", java, job.Tests{List: three, Checker: &job.Checker{Source: "x"}}, []job.Step{ended(1, "")},
			"compile /root false", job.Failed, job.Exited, "0 of 3: skipped skipped skipped"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := &script{t: t, steps: tt.steps}
			res, err := testsOf(t, tt.lang, tt.tests).Run(t.Context(), s)
			if err != nil {
				t.Fatal(err)
			}
			if got := verdicts(res.Tests); res.Status != tt.status || res.Verdict != tt.verdict || got != tt.want {
				t.Errorf("%s %s: %s\nwant %s %s: %s", res.Status, res.Verdict, got, tt.status, tt.verdict, tt.want)
			}
			if got := strings.Join(s.calls, ", "); got != tt.calls || s.open != 0 {
				t.Errorf("runs %s\nwant %s; %d workspaces are open", got, tt.calls, s.open)
			}
			if res.Image != tt.lang.Image {
				t.Errorf("image %q", res.Image)
			}
		})
	}
}

// TestRunFails: a fault of ours ends the job, wherever it happens, and closes every workspace.
func TestRunFails(t *testing.T) {
	ok := ended(0, "a")
	tests := job.Tests{List: []job.Test{{}, {}}, Checker: &job.Checker{Source: "x"}}
	for n := range 6 {
		s := &script{t: t, steps: slices.Repeat([]job.Step{ok}, n), err: errors.New("spawner broke")}
		if res, err := testsOf(t, java, tests).Run(t.Context(), s); err == nil || err.Error() != "spawner broke" {
			t.Errorf("after %d runs: %+v, %v", n, res, err)
		}
		if len(s.calls) != n+1 || s.open != 0 {
			t.Errorf("%v ran, %d workspaces are open", s.calls, s.open)
		}
	}
}

// A job that is cancelled between two tests runs no more of them.
func TestCancelledBetweenTests(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	s := &script{t: t, steps: []job.Step{ended(0, "")}, onRun: func(int) { cancel() }}
	res, err := testsOf(t, python, job.Tests{List: make([]job.Test, 3)}).Run(ctx, s)
	if err != nil || res.Status != job.StatusCancelled || verdicts(res.Tests) != "1 of 3: accepted skipped skipped" {
		t.Errorf("%s, %v: %s", res.Status, err, verdicts(res.Tests))
	}
}

// TestVerdicts: what is said of one test, by how its program and the checker end.
func TestVerdicts(t *testing.T) {
	withExpected, plain := job.Test{Expected: expect("a")}, job.Test{}
	truncated := ended(0, "a")
	truncated.Stdout.Truncated, truncated.Stdout.Bytes = true, 7
	stderr := ended(2, "")
	stderr.Stderr.Data = []byte("no")
	for _, tt := range []struct {
		name    string
		test    job.Test
		step    job.Step
		checker *job.Step
		want    string
	}{
		{"as expected", withExpected, ended(0, "a"), nil, "1 of 1: accepted"},
		{"otherwise", withExpected, ended(0, "b"), nil, `0 of 1: wrong_answer: line 1: "b", expected "a"`},
		{"nothing is expected", plain, ended(0, "b"), nil, "1 of 1: accepted"},
		{"exit code", plain, ended(3, ""), nil, "0 of 1: exited: exit code 3, expected 0"},
		{"expected exit code", job.Test{ExitCode: 3}, ended(3, ""), nil, "1 of 1: accepted"},
		{"exit code 0 is not expected", job.Test{ExitCode: 3}, ended(0, ""), nil, "0 of 1: wrong_answer: exit code 0, expected 3"},
		{"killed", withExpected, died(job.CPUTime), nil, "0 of 1: cpu_time: cpu_time"},
		{"too much output", withExpected, truncated, nil, "0 of 1: wrong_answer: the output has 7 bytes: too many to be right"},
		{"too much output for a checker", plain, truncated, new(ended(0, "")), "0 of 1: wrong_answer: the output has 7 bytes: too many to be right"},
		{"much output, but nothing is expected", plain, truncated, nil, "1 of 1: accepted"},
		{"the checker accepts", withExpected, ended(0, "b"), new(ended(0, "good")), "1 of 1: accepted: good"},
		{"the checker exits with 1", withExpected, ended(0, "a"), new(ended(1, "bad")), "0 of 1: wrong_answer: bad"},
		{"the checker exits with 2", withExpected, ended(0, "a"), &stderr, "0 of 1: wrong_answer: no"},
		{"the checker exits with 3", withExpected, ended(0, "a"), new(ended(3, "")), "0 of 1: checker_failed"},
		{"the checker is killed", withExpected, ended(0, "a"), new(died(job.WallTime)), "0 of 1: checker_failed"},
		{"the checker is cancelled", withExpected, ended(0, "a"), new(died(job.VerdictCancelled)), "0 of 1: cancelled"},
	} {
		s := &script{t: t, steps: []job.Step{tt.step}}
		tests := job.Tests{List: []job.Test{tt.test}}
		if tt.checker != nil {
			s.steps = append(s.steps, *tt.checker)
			tests.Checker = &job.Checker{Source: "x"}
		}
		res, err := testsOf(t, python, tests).Run(t.Context(), s)
		if err != nil {
			t.Fatal(err)
		}
		if got := verdicts(res.Tests); got != tt.want {
			t.Errorf("%s: %s, want %s", tt.name, got, tt.want)
		}
		if failed := res.Tests.List[0].Checker; (failed != nil) != (res.Tests.List[0].Verdict == job.CheckerFailed) {
			t.Errorf("%s: the checker's step is %v", tt.name, failed)
		}
	}
}

// TestPrograms: each test has the built files and its own input, the checker the output and what is expected, and neither has more.
func TestPrograms(t *testing.T) {
	built := []nsjail.File{{Name: "Main.class", Copy: 10, Mode: 0o644}, {Name: "tool", Copy: 4, Mode: 0o755}}
	s := &script{t: t, steps: []job.Step{ended(0, ""), ended(0, ""), ended(0, "output"), ended(0, "")}, built: built}
	tests := job.Tests{List: []job.Test{{Stdin: []byte("input"), Args: []string{"arg"}, Expected: expect("expected")}}, Checker: &job.Checker{Source: "check"}}
	if _, err := testsOf(t, java, tests).Run(t.Context(), s); err != nil {
		t.Fatal(err)
	}
	files := func(p plan.Plan) (list []string) {
		for _, f := range p.Steps[0].Files {
			list = append(list, fmt.Sprintf("%s %q %d %o", f.Name, f.Data, f.Copy, f.Mode))
		}
		return list
	}
	for i, want := range [][]string{
		{`Main.java "x" 0 644`},
		{`Main.java "check" 0 644`},
		{`Main.class "" 10 644`, `tool "" 4 755`},
		{`Main.class "" 10 644`, `tool "" 4 755`, job.CheckerInput + ` "input" 0 644`, job.CheckerOutput + ` "output" 0 644`, job.CheckerExpected + ` "expected" 0 644`},
	} {
		if got := files(s.plans[i]); !slices.Equal(got, want) {
			t.Errorf("sandbox %d has %q, want %q", i, got, want)
		}
	}
	run, check := s.plans[2].Steps[0], s.plans[3].Steps[0]
	if string(run.Stdin) != "input" || !slices.Equal(run.Args, []string{"/java", "Main", "arg"}) || run.Source != 42 {
		t.Errorf("the program gets %+v", run)
	}
	if check.Stdin != nil || !slices.Equal(check.Args, []string{"/java", "Main", job.CheckerInput, job.CheckerOutput, job.CheckerExpected}) || check.Source != 42 {
		t.Errorf("the checker gets %+v", check)
	}
	if check.Limits.OutputBytes != maxMessage {
		t.Errorf("%d bytes of the checker are kept, want %d", check.Limits.OutputBytes, maxMessage)
	}
	for i, p := range s.plans {
		if !p.Loopback {
			t.Errorf("sandbox %d has no loopback device, unlike its job", i)
		}
	}
	if s.plans[0].Outputs == nil || s.plans[2].Outputs != nil {
		t.Errorf("outputs %v of the build and %v of the run, want all and none", s.plans[0].Outputs, s.plans[2].Outputs)
	}
}

// TestBuiltIsNotCarried: what a build left must be copied whole, or no test runs.
func TestBuiltIsNotCarried(t *testing.T) {
	s := &script{t: t, steps: []job.Step{ended(0, "")}, why: "it left a link"}
	res, err := testsOf(t, java, job.Tests{List: make([]job.Test, 2)}).Run(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	if step := res.Steps[0]; res.Verdict != job.StartFailed || step.Message != "it left a link" || s.open != 0 || len(s.calls) != 1 {
		t.Errorf("%s %q after %v, %d workspaces are open", res.Verdict, step.Message, s.calls, s.open)
	}
}

// TestResultKeepsLess: the result has less of the outputs than the verdict needed, and says what was kept.
func TestResultKeepsLess(t *testing.T) {
	out := ended(0, strings.Repeat("a", 5000))
	out.Stderr.Data = []byte(strings.Repeat("e", 1025))
	s := &script{t: t, steps: []job.Step{out}}
	tests := testsOf(t, python, job.Tests{List: make([]job.Test, 1)})
	tests.list[0].kept = 1024
	res, err := tests.Run(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	run := res.Tests.List[0].Run
	if len(run.Stdout.Data) != 1024 || !run.Stdout.Truncated || run.Stdout.Bytes != 5000 || len(run.Stderr.Data) != 1024 || run.Limits.OutputBytes != 1024 {
		t.Errorf("%d and %d bytes are kept of %d, truncated %v", len(run.Stdout.Data), len(run.Stderr.Data), run.Stdout.Bytes, run.Stdout.Truncated)
	}
}

// TestEvents: the job's caller gets the verdict of each test as soon as it is known, but for one that was cancelled.
func TestEvents(t *testing.T) {
	s := &script{t: t, steps: []job.Step{ended(0, ""), ended(3, ""), died(job.VerdictCancelled)}}
	if _, err := testsOf(t, python, job.Tests{List: make([]job.Test, 3)}).Run(t.Context(), s); err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, ev := range s.events {
		got = append(got, fmt.Sprintf("%s %d %s %s", ev.Type, ev.Test, ev.Verdict, ev.Data))
	}
	if want := []string{"test 1 accepted ", "test 2 exited exit code 3, expected 0"}; !slices.Equal(got, want) {
		t.Errorf("events %q, want %q", got, want)
	}
}
