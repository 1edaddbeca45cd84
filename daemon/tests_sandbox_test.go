// SPDX-License-Identifier: Apache-2.0

package daemon

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/ccee-dev/ccee/job"
)

// expect is a test with that input and expected output.
func expect(stdin, want string) job.Test {
	b := []byte(want)
	return job.Test{Stdin: []byte(stdin), Expected: &b}
}

// verdictsOf is the verdicts of all tests, with the message of the first that has one.
func verdictsOf(res job.Result) string {
	var list []string
	message := ""
	if res.Tests == nil {
		return "none"
	}
	for _, r := range res.Tests.List {
		list = append(list, string(r.Verdict))
		if message == "" && r.Message != "" {
			message = ": " + r.Message
		}
	}
	return strings.Join(list, " ") + message
}

const (
	pythonSum = "a, b = map(int, input().split())\nprint(a + b)"
	javaSum   = `import java.util.*; public class Main { public static void main(String[] x) { var s = new Scanner(System.in); System.out.println(new Adder().add(s.nextInt(), s.nextInt())); } }
class Adder { int add(int a, int b) { return a + b; } }`
	sumChecker = "import sys\nq, out, want = (open(f).read().split() for f in sys.argv[1:])\nif want != [str(sum(map(int, q)))]: sys.exit(3)\nif out != want: print('sum of', q, 'is not', out); sys.exit(1)"
)

// TestTests has one program for each way that tests can go.
func TestTests(t *testing.T) {
	compile := job.DefaultCompile // which a checker has
	t.Cleanup(func() { job.DefaultCompile = compile })
	ample(t, &job.DefaultCompile, compile)
	s := realDaemon(t, nil)
	good, bad := expect("1 2\n", "3"), expect("2 2\n", "5")
	for _, tt := range []struct {
		name     string
		language string
		source   string
		tests    job.Tests
		status   job.Status
		verdict  job.Verdict
		want     string
	}{
		{"all right", "python", pythonSum, job.Tests{List: []job.Test{good, expect("4 5", "9 \n\n")}}, job.Succeeded, job.Exited, "accepted accepted"},
		{"compiled once", "java", javaSum, job.Tests{List: []job.Test{good, expect("4 5", "9\n"), bad}}, job.Failed, job.WrongAnswer,
			`accepted accepted wrong_answer: line 1: "4", expected "5"`},
		{"goes on", "python", pythonSum, job.Tests{List: []job.Test{bad, good}}, job.Failed, job.WrongAnswer, `wrong_answer accepted: line 1: "4", expected "5"`},
		{"stops", "python", pythonSum, job.Tests{List: []job.Test{bad, good}, StopOnFailure: true}, job.Failed, job.WrongAnswer, `wrong_answer skipped: line 1: "4", expected "5"`},
		{"does not compile", "java", "class Main { int x = ; }", job.Tests{List: []job.Test{good, good}}, job.Failed, job.Exited, "skipped skipped"},
		{"exact", "python", "print(input())", job.Tests{Compare: job.Compare{Mode: job.Exact}, List: []job.Test{expect("a", "a\n"), expect("a", "a")}}, job.Failed, job.WrongAnswer,
			`accepted wrong_answer: byte 2: "\n", expected nothing`},
		{"floats", "python", "print(1 / int(input()))", job.Tests{Compare: job.Compare{Mode: job.Floats, AbsTolerance: 1e-4}, List: []job.Test{expect("3", "0.33333"), expect("3", "0.334")}}, job.Failed, job.WrongAnswer,
			`accepted wrong_answer: word 1: "0.3333333333333333", expected "0.334"`},
		{"exit codes", "python", "raise SystemExit(int(input()))", job.Tests{List: []job.Test{{Stdin: []byte("3"), ExitCode: 3}, {Stdin: []byte("3")}, {Stdin: []byte("0"), ExitCode: 3}}}, job.Failed, job.Exited,
			"accepted exited wrong_answer: exit code 3, expected 0"},
		{"limits of one test", "python", "import time\nif input() == 'sleep': time.sleep(60)\nelse: x = bytearray(int(8e8))", job.Tests{List: []job.Test{
			{Stdin: []byte("sleep"), Run: job.Limits{WallMs: 400}}, {Stdin: []byte("eat"), Run: job.Limits{MemoryBytes: 64 * job.MiB}}}}, job.Failed, job.WallTime, "wall_time oom_killed"},
		{"arguments", "python", "import sys; print(*sys.argv[1:])", job.Tests{List: []job.Test{{Args: []string{"x"}, Expected: expect("", "first x").Expected}}}, job.Succeeded, job.Exited, "accepted"},
		{"output without end", "python", "print('3 ' * 200000)", job.Tests{List: []job.Test{good}}, job.Failed, job.WrongAnswer, "wrong_answer: the output has 400001 bytes: too many to be right"},
		{"a checker", "python", pythonSum, job.Tests{List: []job.Test{good, expect("2 2", "4")}, Checker: &job.Checker{Language: "python", Source: sumChecker}}, job.Succeeded, job.Exited, "accepted accepted"},
		{"a checker says no", "python", "print(7)", job.Tests{List: []job.Test{good}, Checker: &job.Checker{Language: "python", Source: sumChecker}}, job.Failed, job.WrongAnswer, "wrong_answer: sum of ['1', '2'] is not ['7']\n"},
		{"a checker that fails", "python", pythonSum, job.Tests{List: []job.Test{bad, good}, Checker: &job.Checker{Language: "python", Source: sumChecker}}, job.Failed, job.CheckerFailed, "checker_failed accepted"},
		{"a checker that hangs", "python", pythonSum, job.Tests{List: []job.Test{good}, Checker: &job.Checker{Language: "python", Source: "while True: pass", Run: job.Limits{WallMs: 300}}}, job.Failed, job.CheckerFailed, "checker_failed"},
		{"a checker that has to be compiled", "python", pythonSum, job.Tests{List: []job.Test{good}, Checker: &job.Checker{Language: "java", Source: "public class Check { public static void main(String[] a) throws Exception { System.exit(java.nio.file.Files.readString(java.nio.file.Path.of(a[1])).equals(\"3\\n\") ? 0 : 1); } }",
			Run: job.Limits{CPUMillicores: 1000}}}, job.Succeeded, job.Exited, "accepted"},
		{"a checker that does not compile", "python", pythonSum, job.Tests{List: []job.Test{good}, Checker: &job.Checker{Language: "java", Source: "class"}}, job.Failed, job.CheckerFailed, "skipped"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			spec := job.Spec{Language: tt.language, Source: tt.source, Tests: &tt.tests, Run: job.Limits{CPUMillicores: 1000}}
			if tt.name == "arguments" {
				spec.Args = []string{"first"}
			}
			res := s.runSpec(t, spec)
			if got := verdictsOf(res); res.Status != tt.status || res.Verdict != tt.verdict || got != tt.want {
				t.Errorf("%s %s: %s\nwant %s %s: %s", res.Status, res.Verdict, got, tt.status, tt.verdict, tt.want)
			}
		})
	}
}

// TestTestsKnowNothing has programs that try to cheat: by what an earlier test left, or by what the checker is told.
func TestTestsKnowNothing(t *testing.T) {
	s := realDaemon(t, nil)
	three := []job.Test{expect("a", "new"), expect("b", "new"), expect("c", "new")}
	for name, source := range map[string]string{
		"files":                    "import os\nnew = True\nfor d in '.', '/tmp', '/dev/shm':\n  p = d + '/mark'\n  new = new and not os.path.exists(p)\n  open(p, 'w')\nprint('new' if new else 'seen')",
		"its own source":           "import os\nprint('new')\nopen('main.py', 'w').write('print(\"changed\")')\nos.chmod('main.py', 0)",
		"processes":                "import os, time\nn = len([p for p in os.listdir('/proc') if p.isdigit()])\nprint('new' if n <= 2 else n)\nif os.fork() == 0:\n  os.setsid()\n  os.closerange(0, 100)\n  time.sleep(60)",
		"what the checker is told": "import os\nall = [os.path.join(d, f) for top in ('/workspace', '/tmp', '/dev/shm') for d, _, fs in os.walk(top) for f in fs]\nprint('new' if all == ['/workspace/main.py'] else all)",
	} {
		t.Run(name, func(t *testing.T) {
			res := s.runSpec(t, job.Spec{Language: "python", Source: source, Tests: &job.Tests{List: three}})
			if got := verdictsOf(res); got != "accepted accepted accepted" {
				t.Errorf("%s\n%s", got, describeStep(res.Tests.List[len(res.Tests.List)-1].Run))
			}
		})
	}
	t.Run("a class overwritten", func(t *testing.T) {
		source := `import java.nio.file.*; public class Main { public static void main(String[] a) throws Exception { System.out.println("new"); Files.write(Path.of("Main.class"), new byte[3]); } }`
		res := s.runSpec(t, job.Spec{Language: "java", Source: source, Tests: &job.Tests{List: three}, Run: job.Limits{CPUMillicores: 1000}})
		if got := verdictsOf(res); got != "accepted accepted accepted" {
			t.Error(got)
		}
	})
}

// The tests of a job leave nothing behind, and a job that is cancelled among them says how far it came.
func TestTestsCancelled(t *testing.T) {
	s := realDaemon(t, func(o *Options) { o.Slots = 1 })
	ctx, cancel := context.WithCancelCause(t.Context())
	defer cancel(nil)
	var told []string
	res, err := s.run(ctx, job.Spec{ID: "1", Language: "python", Source: "import time\nif input() == 'b': time.sleep(60)", Tests: &job.Tests{
		List: []job.Test{expect("a", ""), expect("b", ""), expect("c", "")}}}, func(ev job.Event) error {
		told = append(told, fmt.Sprintf("%s %d", ev.Type, ev.Test))
		if ev.Type == job.EventStarted && ev.Test == 2 {
			cancel(errCancelled)
		}
		return nil
	})
	if err != nil || res.Status != job.StatusCancelled || verdictsOf(res) != "accepted cancelled skipped" {
		t.Errorf("%s %s, %v", res.Status, verdictsOf(res), err)
	}
	if got := strings.Join(told[:4], ", "); got != "started 1, exited 1, test 1, started 2" {
		t.Errorf("events %q", told)
	}
	// The only slot is free again.
	if res := s.runSpec(t, job.Spec{Language: "python", Source: "print(1)"}); res.Status != job.Succeeded {
		t.Errorf("the next job: %s", res.Status)
	}
}
