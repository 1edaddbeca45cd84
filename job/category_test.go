// SPDX-License-Identifier: Apache-2.0

package job

import (
	"strings"
	"testing"
)

func TestCategory(t *testing.T) {
	for _, tt := range []struct {
		status  Status
		verdict Verdict
		step    string
		want    Category
	}{
		{Succeeded, Exited, "run", NoFailure},
		{StatusCancelled, VerdictCancelled, "run", NoFailure},
		{Failed, Exited, "compile", UserCode},
		{Failed, OOMKilled, "compile", UserCode},
		{Failed, WallTime, "compile", Timeout},
		{Failed, CPUTime, "run", Timeout},
		{Failed, Exited, "run", AtRuntime},
		{Failed, Signaled, "run", AtRuntime},
		{Failed, OOMKilled, "run", AtRuntime},
		{Failed, StartFailed, "run", Infrastructure},
		{Failed, Internal, "run", Infrastructure},
		{Failed, WrongAnswer, "compile", UserCode},
		{Failed, CheckerFailed, "checker", UserCode},
	} {
		res := Result{Status: tt.status, Verdict: tt.verdict, Steps: []Step{{Name: tt.step, Verdict: tt.verdict}}}
		if got := res.Category("python"); got != tt.want {
			t.Errorf("category of %s, %s in %s = %s, want %s", tt.status, tt.verdict, tt.step, got, tt.want)
		}
	}
}

// ended is a program that ended with a code and wrote that to stderr.
func ended(code int, stderr string) Result {
	step := Step{Name: "run", Verdict: Exited, ExitCode: &code, Stderr: Output{Data: []byte(stderr), Bytes: int64(len(stderr))}}
	return Result{Status: Failed, Verdict: Exited, ExitCode: &code, Steps: []Step{step}}
}

const (
	pythonReport = "Traceback (most recent call last):\n  File \"/workspace/main.py\", line 1, in <module>\n    1/0\n    ~^~\nZeroDivisionError: division by zero\n"
	nodeReport   = "/workspace/main.js:1\nthrow new Error(\"x\")\n^\n\nError: x\n    at Object.<anonymous> (/workspace/main.js:1:7)\n\nNode.js v24.16.0\n"
	javaReport   = "Exception in thread \"main\" java.lang.RuntimeException: x\n\tat Main.f(Main.java:1)\n\tat java.base/java.util.X.y(X.java:1)\n"
)

// The reports are as the runtimes write them: https://docs.python.org/3/tutorial/errors.html,
// https://docs.python.org/3/library/traceback.html, https://nodejs.org/api/process.html#exit-codes, and Throwable.printStackTrace of the
// Java API. What only has words of them is no evidence.
func TestUncaught(t *testing.T) {
	for _, tt := range []struct {
		name, language string
		code           int
		stderr         string
		want           Category
	}{
		{"an exception", "python", 1, pythonReport, UserCode},
		{"output before it", "python", 1, "working\n" + pythonReport, UserCode},
		{"without a message", "python", 1, strings.Replace(pythonReport, ": division by zero", "", 1), UserCode},
		{"without a line break at the end", "python", 1, strings.TrimSuffix(pythonReport, "\n"), UserCode},
		{"a message of two lines", "python", 1, pythonReport + "second\n\nthird\n", UserCode},
		{"a note", "python", 1, pythonReport + "a note\n", UserCode},
		{"a class within a function", "python", 1, strings.Replace(pythonReport, "ZeroDivisionError", "f.<locals>.Fehlerchen", 1), UserCode},
		{"of a module", "python", 1, strings.Replace(pythonReport, "ZeroDivisionError", "json.decoder.JSONDecodeError", 1), UserCode},
		{"a name outside ASCII", "python", 1, strings.Replace(pythonReport, "ZeroDivisionError", "FehlerFürAlle", 1), UserCode},
		{"frames, a recursion", "python", 1, "Traceback (most recent call last):\n  File \"/workspace/main.py\", line 3, in <module>\n    f(0)\n    ~^^^\n  File \"/workspace/main.py\", line 2, in f\n    def f(n): f(n+1)\n              ~^^^^^\n  [Previous line repeated 996 more times]\nRecursionError: maximum recursion depth exceeded\n", UserCode},
		{"one that another caused", "python", 1, "Traceback (most recent call last):\n  File \"/workspace/main.py\", line 9, in f\n    1/0\nZeroDivisionError: division by zero\n\nDuring handling of the above exception, another exception occurred:\n\n" + pythonReport, UserCode},
		{"a syntax error", "python", 1, "  File \"/workspace/main.py\", line 1\n    x = = 1\n        ^\nSyntaxError: invalid syntax\n", UserCode},
		{"a warning, and a syntax error", "python", 1, "/workspace/main.py:1: SyntaxWarning: invalid escape sequence '\\d'\n  x = \"\\d\"\n  File \"/workspace/main.py\", line 2\n    x = 1\nIndentationError: unexpected indent\n", UserCode},
		{"a syntax error of an import", "python", 1, "Traceback (most recent call last):\n  File \"/workspace/main.py\", line 1, in <module>\n    import m\n  File \"/workspace/m.py\", line 1\n    x = = 1\n        ^\nSyntaxError: invalid syntax\n", UserCode},
		{"a group", "python", 1, "  + Exception Group Traceback (most recent call last):\n  |   File \"/workspace/main.py\", line 3, in <module>\n  |     raise e\n  | ExceptionGroup: eg (1 sub-exception)\n  | a note\n  +-+---------------- 1 ----------------\n    | ValueError: 1\n    +------------------------------------\n", UserCode},

		{"another exit code", "python", 2, pythonReport, AtRuntime},
		{"words", "python", 1, "SyntaxError: no\nTraceback, NameError, javac\nException in thread\n", AtRuntime},
		{"the first line alone", "python", 1, "Traceback (most recent call last):\n", AtRuntime},
		{"no frame", "python", 1, "Traceback (most recent call last):\nSyntaxError: invalid syntax\n", AtRuntime},
		{"the last line alone", "python", 1, "ZeroDivisionError: division by zero\n", AtRuntime},
		{"sys.exit with words", "python", 1, "Traceback: SyntaxError: message\n", AtRuntime},
		{"a thread's", "python", 1, "Exception in thread Thread-1 (f):\nTraceback (most recent call last):\n  File \"/usr/lib/python3.13/threading.py\", line 1043, in _bootstrap_inner\n    self.run()\n    ~~~~~~~~^^\nZeroDivisionError: division by zero\n", AtRuntime},
		{"one that was logged where it was handled", "python", 1, "ERROR:root:no\nTraceback (most recent call last):\n  File \"/workspace/main.py\", line 4, in work\n    1/0\n    ~^~\nZeroDivisionError: division by zero\n", AtRuntime},
		{"indented", "python", 1, " " + strings.ReplaceAll(pythonReport, "\n", "\n "), AtRuntime},
		{"a syntax error, and more", "python", 1, "  File \"/workspace/main.py\", line 1\n    x = = 1\nSyntaxError: invalid syntax\ngiving up\n", AtRuntime},
		{"Java's report", "python", 1, javaReport, AtRuntime},
		{"nothing", "python", 1, "", AtRuntime},

		{"thrown", "javascript", 1, nodeReport, UserCode},
		{"output before it", "javascript", 1, "working\n" + nodeReport, UserCode},
		{"a value", "javascript", 1, "\n/workspace/main.js:1\nthrow 5\n^\n5\n(Use `node --trace-uncaught ...` to show where the exception was thrown)\n\nNode.js v24.16.0\n", UserCode},
		{"a syntax error", "javascript", 1, "/workspace/main.js:1\nlet x = ;\n        ^\n\nSyntaxError: Unexpected token ';'\n    at wrapSafe (node:internal/modules/cjs/loader:1861:18)\n\nNode.js v24.16.0\n", UserCode},
		{"a rejection", "javascript", 1, "node:internal/process/promises:392\n      new UnhandledPromiseRejection(reason);\n      ^\n\nUnhandledPromiseRejection: This error originated either by\n  code: 'ERR_UNHANDLED_REJECTION'\n}\n\nNode.js v24.16.0\n", UserCode},
		{"thrown by the handler", "javascript", 7, nodeReport, UserCode},
		{"another exit code", "javascript", 3, nodeReport, AtRuntime},
		{"words", "javascript", 1, "ReferenceError: x is not defined\n    at f (/workspace/main.js:1:1)\n", AtRuntime},
		{"the version alone", "javascript", 1, "\nNode.js v24.16.0\n", AtRuntime},
		{"printed, then more", "javascript", 1, nodeReport + "giving up\n", AtRuntime},
		{"no mark", "javascript", 1, "/workspace/main.js:1\nthrow 5\n\nError: x\n\nNode.js v24.16.0\n", AtRuntime},

		{"an exception", "java", 1, javaReport, UserCode},
		{"output before it", "java", 1, "working\n" + javaReport, UserCode},
		{"a message of two lines", "java", 1, strings.Replace(javaReport, ": x\n", ": x\ny\n", 1), UserCode},
		{"a cause", "java", 1, javaReport + "Caused by: java.lang.Error: cause\n\t... 2 more\n", UserCode},
		{"one that was suppressed", "java", 1, javaReport + "\tSuppressed: java.lang.Exception: sup\n\t\t... 1 more\n", UserCode},
		{"without a stack", "java", 1, "Exception in thread \"main\" Main$E: m\n", UserCode},
		{"out of its heap", "java", 1, "Exception in thread \"main\" java.lang.OutOfMemoryError: Java heap space\n", UserCode},
		{"a thread's before it", "java", 1, strings.Replace(javaReport, "main", "Thread-0", 1) + javaReport, UserCode},
		{"a thread's", "java", 1, strings.Replace(javaReport, "main", "Thread-0", 1), AtRuntime},
		{"another exit code", "java", 3, javaReport, AtRuntime},
		{"words", "java", 1, "Exception in thread \"main\"\n", AtRuntime},
		{"words and more", "java", 1, "Exception in thread \"main\" is what I print\n", AtRuntime},
		{"a stack that was printed", "java", 1, "java.lang.RuntimeException: x\n\tat Main.main(Main.java:1)\n", AtRuntime},
		{"printed, then more", "java", 1, javaReport + "giving up\n", AtRuntime},
		{"no main method", "java", 1, "Error: Main method not found in class Main, please define the main method as:\n   public static void main(String[] args)\n", AtRuntime},

		{"a language without a form", "lua", 1, pythonReport, AtRuntime},
	} {
		res := ended(tt.code, tt.stderr)
		if got := res.Category(tt.language); got != tt.want {
			t.Errorf("%s: %s: %s, want %s", tt.language, tt.name, got, tt.want)
		}
	}
}

// The end of stderr is the evidence: where it was not kept there is none.
func TestUncaughtOfCutOutput(t *testing.T) {
	cut := func(data, tail string, left int64) Result {
		r := ended(1, data)
		r.Steps[0].Stderr = Output{Data: []byte(data), Tail: []byte(tail), Bytes: int64(len(data)+len(tail)) + left, Truncated: left > 0}
		return r
	}
	for name, tt := range map[string]struct {
		result Result
		want   Category
	}{
		"cut off":                  {cut(pythonReport, "", 10), AtRuntime},
		"kept as a tail":           {cut("much", "more\n"+pythonReport, 10), UserCode},
		"the tail goes on":         {cut(pythonReport[:50], pythonReport[50:], 0), UserCode},
		"half of it is in the gap": {cut(pythonReport[:50], pythonReport[60:], 10), AtRuntime},
	} {
		if got := tt.result.Category("python"); got != tt.want {
			t.Errorf("%s: %s, want %s", name, got, tt.want)
		}
	}
}

// Of a job with tests it is the first that did not pass.
func TestCategoryOfTests(t *testing.T) {
	run := ended(1, pythonReport).Steps[0]
	quiet := ended(1, "no\n").Steps[0]
	for name, tt := range map[string]struct {
		run  *Step
		want Category
	}{"an exception": {&run, UserCode}, "another failure": {&quiet, AtRuntime}} {
		r := Result{Status: Failed, Verdict: Exited, Tests: &TestResults{Total: 2, Passed: 1, List: []TestResult{{Verdict: Accepted, Run: &Step{}}, {Verdict: Exited, Run: tt.run}}}}
		if got := r.Category("python"); got != tt.want {
			t.Errorf("%s: %s, want %s", name, got, tt.want)
		}
	}
}
