// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"encoding/json"
	"strings"
	"testing"
)

// TestCategory: whose failure it is, for failures of real runtimes. The analysis of a job blames the same side.
func TestCategory(t *testing.T) {
	s := sharedUp(t)
	const (
		py, js, java  = "python", "javascript", "java"
		user, runtime = "user_code", "runtime"
		die           = "import sys\n"
	)
	main := func(body string) string {
		return "public class Main { static void f() { f(); } public static void main(String[] a) throws Exception { " + body + " } }"
	}
	for _, tt := range []struct{ name, language, source, want string }{
		{"an exception", py, "def f(): 1/0\nf()", user},
		{"a syntax error", py, "x = = 1", user},
		{"an indentation error", py, "  x = 1", user},
		{"a name", py, "print(undefined)", user},
		{"an assertion", py, "assert False", user},
		{"an import", py, "import nosuchmodule", user},
		{"a recursion", py, "def f(n): f(n + 1)\nf(0)", user},
		{"chained, of two lines", py, "try:\n    1/0\nexcept Exception as e:\n    raise ValueError('two\\nlines')", user},
		{"a cause and a note", py, "e = KeyError('x')\ne.add_note('a note')\nraise e from TypeError('c')", user},
		{"a group", py, "raise ExceptionGroup('eg', [ValueError(1), ExceptionGroup('in', [TypeError('a')])])", user},
		{"a syntax error in exec", py, "exec('x = = 1')", user},
		{"in a coroutine", py, "import asyncio\nasync def main(): raise RuntimeError('x')\nasyncio.run(main())", user},
		{"a class within a class", py, "class E(Exception):\n    class F(Exception): pass\nraise E.F", user},
		{"output at exit", py, "import atexit, sys\natexit.register(lambda: print('bye', file=sys.stderr))\nraise ValueError", user},
		{"words", py, die + "sys.exit('Traceback (most recent call last): SyntaxError: invalid syntax')", runtime},
		{"a traceback that was handled", py, die + "import traceback\ndef f():\n    try: 1/0\n    except Exception: traceback.print_exc()\nf()\nsys.exit(1)", runtime},
		{"another exit code", py, die + "print('SyntaxError', file=sys.stderr); sys.exit(3)", runtime},
		{"a thread's", py, die + "from threading import Thread\nt = Thread(target=lambda: 1/0); t.start(); t.join()\nsys.exit(1)", runtime},

		{"thrown", js, "throw new Error('x\\ny')", user},
		{"a value", js, "throw 5", user},
		{"null, rejected", js, "Promise.reject(null)", user},
		{"a syntax error", js, "let x = ;", user},
		{"a module", js, "require('nope')", user},
		{"a reference, in a coroutine", js, "async function f() { undefinedName }\nf()", user},
		{"in eval", js, "eval(\"throw new TypeError('in eval')\")", user},
		{"by a handler", js, "process.on('uncaughtException', () => { throw new Error('again') })\nnull.x", user},
		{"an event", js, "new (require('events'))().emit('error', new Error('ee'))", user},
		{"in a module", js, "import fs from 'fs'\nthrow new Error('esm', {cause: new Error('c')})", user},
		{"two in one", js, "throw new AggregateError([new Error('a'), new Error('b')], 'agg')", user},
		{"a recursion", js, "setTimeout(() => { function g() { g() } g() }, 1)", user},
		{"without a stack", js, "const e = new Error('m'); e.stack = undefined; throw e", user},
		{"words", js, "console.error('ReferenceError: x is not defined\\n    at main.js:1:1'); process.exit(1)", runtime},
		{"a report that was handled", js, "try { null.x } catch (e) { console.error(e) }\nprocess.exit(1)", runtime},
		{"another exit code", js, "console.error('SyntaxError'); process.exit(2)", runtime},

		{"an exception", java, main(`throw new IllegalStateException("x\ny", new Error("cause"));`), user},
		{"one that was suppressed", java, main(`var e = new Exception("s"); e.addSuppressed(new Exception("sup")); throw e;`), user},
		{"a recursion", java, main("f();"), user},
		{"a static initializer", java, `public class Main { static int x = Integer.parseInt("q"); public static void main(String[] a) {} }`, user},
		{"an index", java, "void main() { int[] a = new int[1]; a[3] = 1; }", user},
		{"a compile error", java, main("int x = ;"), user},
		{"words", java, main(`System.err.println("Exception in thread, javac, SyntaxError"); System.exit(1);`), runtime},
		{"a stack that was printed", java, main("new Exception().printStackTrace(); System.exit(1);"), runtime},
		{"a thread's", java, main(`Thread t = new Thread(() -> { throw new Error("t"); }); t.start(); t.join(); System.exit(1);`), runtime},
	} {
		t.Run(tt.language+" "+tt.name, func(t *testing.T) {
			j := s.run(t, body{"language": tt.language, "sourceCode": tt.source, "timeoutMs": 15000, "cpuMillicores": 1000, "memoryMb": 256})
			if j.FailureCategory != tt.want {
				t.Errorf("failureCategory %s, want %s: %s %s", j.FailureCategory, tt.want, j.Status, j.Result.Stderr)
			}
			status, raw, err := s.request("POST", "/v1/jobs/"+j.JobID+"/analyze", key, nil)
			if err != nil || status != 200 {
				t.Fatalf("analyze: %d %s %v", status, raw, err)
			}
			var answer struct{ Analysis struct{ Summary string } }
			if err := json.Unmarshal(raw, &answer); err != nil {
				t.Fatal(err)
			}
			if blames := strings.Contains(answer.Analysis.Summary, "code error"); blames != (tt.want == user) {
				t.Errorf("analysis %q of a failure of category %s", answer.Analysis.Summary, tt.want)
			}
		})
	}
}
