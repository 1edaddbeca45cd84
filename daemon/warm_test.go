// SPDX-License-Identifier: Apache-2.0

package daemon

import (
	"runtime"
	"strings"
	"testing"

	"github.com/ccee-dev/ccee/job"
)

// sameJobs are run in sandboxes of all kinds. warm says whether a runtime that was started ahead serves them.
var sameJobs = map[string]struct {
	spec job.Spec
	warm bool
}{
	"hello":            {job.Spec{Language: "python", Source: "print('hello')"}, true},
	"what is seen":     {job.Spec{Language: "python", Source: "import os, resource\nfor d in '/', '/workspace', '/tmp', '/dev', '/dev/shm', '/proc/self/fd': print(d, sorted(os.listdir(d)))\nprint(os.getuid(), os.getpid(), os.getppid(), os.uname().nodename, os.getcwd(), sorted(os.environ.items()))\nprint([(n, resource.getrlimit(n)) for n in range(16) if n != resource.RLIMIT_CPU])\nprint(open('/proc/self/status').read().split('SigQ')[1].split('ctxt')[0])"}, true},
	"interpreter":      {job.Spec{Language: "python", Source: "import sys, gc, signal, threading\nprint(sys.argv, sys.orig_argv, sys.path, sys.flags, sys._xoptions, sys.executable, __file__, __name__, __spec__, sorted(sys.modules), gc.isenabled(), gc.get_threshold(), [signal.getsignal(s) for s in range(1, 20)], threading.active_count(), sorted(globals()))"}, true},
	"traceback":        {job.Spec{Language: "python", Source: "def f():\n  1/0\nf()"}, true},
	"syntax error":     {job.Spec{Language: "python", Source: "print('a'"}, true},
	"stdin":            {job.Spec{Language: "python", Source: "import sys; print(sys.stdin.read().upper())", Stdin: []byte(strings.Repeat("in\n", 40_000))}, true},
	"files":            {job.Spec{Language: "python", Source: "import sys, m; print(open('a').read(), m.x); import subprocess; print(subprocess.run([sys.executable, '-c', 'print(2)'], capture_output=True))", Files: []job.File{{Name: "a", Data: []byte("b")}, {Name: "m.py", Data: []byte("x = 7")}}}, true},
	"processes":        {job.Spec{Language: "python", Source: "import multiprocessing as m\ndef f(x): return x * x\nif __name__ == '__main__':\n  m.set_start_method('spawn')\n  with m.Pool(2) as p: print(p.map(f, [1, 2]))", Run: job.Limits{CPUMillicores: 1000}}, true},
	"arguments":        {job.Spec{Language: "python", Source: "import sys; print(sys.argv)", Args: []string{"x"}}, false},
	"environment":      {job.Spec{Language: "python", Source: "import os; print(os.environ['A'])", Env: map[string]string{"A": "b"}}, false},
	"output files":     {job.Spec{Language: "python", Source: "open('o', 'w').write('x')", OutputFiles: []string{"*"}}, true},
	"exit code":        {job.Spec{Language: "python", Source: "raise SystemExit(7)"}, true},
	"signal":           {job.Spec{Language: "python", Source: "import os; os.kill(os.getpid(), 11)"}, true},
	"memory":           {job.Spec{Language: "python", Source: "x = bytearray(1 << 28)", Run: job.Limits{MemoryBytes: 64 * job.MiB}}, true},
	"time":             {job.Spec{Language: "python", Source: "while True: pass", Run: job.Limits{WallMs: 300}}, true},
	"CPU time":         {job.Spec{Language: "python", Source: "while True: pass", Run: job.Limits{CPUMs: 200, CPUMillicores: 1000}}, true},
	"forks":            {job.Spec{Language: "python", Source: "import os, signal\nfor i in range(9):\n  if os.fork() == 0: signal.pause()", Run: job.Limits{PidsMax: 5}}, false},
	"refused call":     {job.Spec{Language: "python", Source: "import socket\ntry: socket.socket(socket.AF_PACKET, socket.SOCK_RAW)\nexcept OSError as e: print(e)"}, true},
	"stops itself":     {job.Spec{Language: "python", Source: "import os, signal; print(1, flush=True); os.kill(os.getpid(), signal.SIGSTOP)", Run: job.Limits{WallMs: 500}}, true},
	"interleaved":      {job.Spec{Language: "python", Source: "print('a')", Interleave: true}, false},
	"tests":            {job.Spec{Language: "python", Source: pythonSum, Tests: &job.Tests{List: []job.Test{expect("1 2", "3"), expect("1 2", "4")}}}, true},
	"two cores":        {job.Spec{Language: "python", Source: "import os; print(os.cpu_count() > 0)", Run: job.Limits{CPUMillicores: 2000}}, runtime.NumCPU() == 1},
	"node memory":      {job.Spec{Language: "javascript", Source: "console.log(1)", Run: job.Limits{MemoryBytes: 256 * job.MiB}}, true},
	"node odd memory":  {job.Spec{Language: "javascript", Source: "console.log(1)", Run: job.Limits{MemoryBytes: 200 * job.MiB}}, false},
	"node":             {job.Spec{Language: "javascript", Source: "console.log('hello'); console.error('error')"}, true},
	"node is":          {job.Spec{Language: "javascript", Source: "console.log(process.argv, process.execArgv, require.main === module, __filename, __dirname, module.paths, Object.keys(require.cache), process.env, process.title, process.stdin.constructor.name, process.stdout.constructor.name, process.listenerCount('SIGCONT'), Object.keys(globalThis))"}, true},
	"node throws":      {job.Spec{Language: "javascript", Source: "function f() { throw new TypeError('no') }\nf()"}, true},
	"node rejects":     {job.Spec{Language: "javascript", Source: "Promise.reject(new Error('no'))"}, true},
	"node syntax":      {job.Spec{Language: "javascript", Source: "let = = 1"}, true},
	"node exits":       {job.Spec{Language: "javascript", Source: "process.on('exit', c => console.log('bye', c)); process.exitCode = 3"}, true},
	"node stdin":       {job.Spec{Language: "javascript", Source: "let s = ''; process.stdin.on('data', d => s += d).on('end', () => console.log(s.length, s.slice(0, 9)))", Stdin: []byte(strings.Repeat("input\n", 20_000))}, true},
	"node reads":       {job.Spec{Language: "javascript", Source: "console.log(require('fs').readFileSync(0, 'utf8'), require('./m').x)", Stdin: []byte("in"), Files: []job.File{{Name: "m.js", Data: []byte("exports.x = 7")}}}, true},
	"node module":      {job.Spec{Language: "javascript", Source: "import fs from 'node:fs'; import { x } from './m.mjs'; console.log(x, import.meta.url, await Promise.resolve(typeof require), fs.readdirSync('.'))", Files: []job.File{{Name: "m.mjs", Data: []byte("export const x = 7")}, {Name: "package.json", Data: []byte(`{"type": "module"}`)}}}, true},
	"node worker":      {job.Spec{Language: "javascript", Source: "const { Worker, isMainThread, parentPort } = require('worker_threads');\nif (isMainThread) new Worker(__filename).on('message', m => console.log(m)); else parentPort.postMessage([process.argv, process.execArgv, Object.keys(require.cache)])", Run: job.Limits{CPUMillicores: 1000}}, true},
	"node forks":       {job.Spec{Language: "javascript", Source: "if (process.send) process.send(process.execArgv); else require('child_process').fork(__filename).on('message', m => console.log(m))", Run: job.Limits{CPUMillicores: 1000}}, true},
	"java":             {job.Spec{Language: "java", Source: javaMain, Run: job.Limits{CPUMillicores: 1000}}, true},
	"java, CPU time":   {job.Spec{Language: "java", Source: javaMain, Run: job.Limits{CPUMillicores: 1000, CPUMs: 60_000}}, true},
	"java error":       {job.Spec{Language: "java", Source: "public class Main { int x = \"a\"; }"}, true},
	"java throws":      {job.Spec{Language: "java", Source: "public class Main { static void f() { throw new IllegalStateException(\"no\"); }\n public static void main(String[] a) { f(); } }", Run: job.Limits{CPUMillicores: 1000}}, true},
	"java exits":       {job.Spec{Language: "java", Source: "public class Main { public static void main(String[] a) throws Exception { Runtime.getRuntime().addShutdownHook(new Thread(() -> System.out.println(\"bye\"))); System.out.write(System.in.readAllBytes()); System.exit(3); } }", Stdin: []byte("input"), Run: job.Limits{CPUMillicores: 1000}}, true},
	"java is":          {job.Spec{Language: "java", Source: javaIs, Run: job.Limits{CPUMillicores: 1000}}, true},
	"java has classes": {job.Spec{Language: "java", Source: "import p.Other;\npublic class Main { record R(int x, String s) {} enum E { A }\n interface I { default int f() { return 1; } }\n public static void main(String[] a) { System.out.println(new R(1, \"s\") + \" \" + E.A + new I() {}.f() + Other.x() + java.util.stream.IntStream.range(0, 4).boxed().toList()); } }", Files: []job.File{{Name: "p/Other.java", Data: []byte("package p; public class Other { public static int x() { return 7; } }")}}, Run: job.Limits{CPUMillicores: 1000}}, true},
	"java memory":      {job.Spec{Language: "java", Source: "public class Main { public static void main(String[] a) { byte[] b = new byte[60 << 20]; for (int i = 0; i < b.length; i += 4096) b[i] = 1; System.out.println(b.length); } }", Run: job.Limits{CPUMillicores: 1000}}, true},
	"java too much":    {job.Spec{Language: "java", Source: "public class Main { public static void main(String[] a) { byte[] b = new byte[200 << 20]; System.out.println(b.length); } }", Run: job.Limits{CPUMillicores: 1000}}, true},
	"java other heap":  {job.Spec{Language: "java", Source: javaMain, Run: job.Limits{CPUMillicores: 1000, MemoryBytes: 256 * job.MiB}}, true},
	"java odd heap":    {job.Spec{Language: "java", Source: javaMain, Run: job.Limits{CPUMillicores: 1000, MemoryBytes: 200 * job.MiB}}, false},
	"java other class": {job.Spec{Language: "java", Source: javaHello, Run: job.Limits{CPUMillicores: 1000}}, false},
}

const javaMain = `public class Main { public static void main(String[] a) { System.out.println("hello"); } }`

// javaIs tells what a program can see of the JVM that it is in.
const javaIs = `import java.util.*;
public class Main {
  public static void main(String[] a) throws Exception {
    System.out.println(List.of(a) + " " + Main.class.getClassLoader().getClass() + Thread.currentThread() + new java.io.File(".").getAbsolutePath());
    for (String p : List.of("java.class.path", "java.home", "user.dir", "user.name", "java.io.tmpdir", "file.encoding", "line.separator"))
      System.out.println(p + "=" + System.getProperty(p));
    System.out.println(new TreeMap<>(System.getenv()) + " " + Runtime.getRuntime().maxMemory() + " " + new TreeSet<>(List.of(new java.io.File("/tmp").list())));
    try { Class.forName("jdk.internal.misc.Signal").getDeclaredMethod("raise0", int.class).setAccessible(true); }
    catch (RuntimeException e) { System.out.println(e.getClass()); }
  }
}`

// What a job does and how it ends is the same in a sandbox that was ready, and with a runtime that was started ahead, as in one made at
// once: every byte of the result, but for times and what the kernel counts.
func TestSame(t *testing.T) {
	cold := realDaemon(t, func(o *Options) { o.Ready = 0 })
	ready := realDaemon(t, func(o *Options) { o.Ready = 2 })
	warm := realDaemon(t, func(o *Options) { o.Ready, o.Warm = 2, true })
	for name, tt := range sameJobs {
		t.Run(name, func(t *testing.T) {
			want := comparable(cold.runSpec(t, tt.spec))
			ready.same(t, tt.spec, "ready", want)
			if tt.warm {
				warm.same(t, tt.spec, "warm", want)
			} else {
				warm.same(t, tt.spec, "ready", want)
			}
		})
	}
}

// same runs spec until it was served from there.
func (s *served) same(t *testing.T, spec job.Spec, where, want string) {
	t.Helper()
	s.until(t, spec, where, func(r job.Result) {
		if got := comparable(r); got != want {
			t.Fatalf("%s:\n%s\ncold:\n%s", where, got, want)
		}
	})
}

// until runs spec until it was served from there, and has look look at each result.
func (s *served) until(t *testing.T, spec job.Spec, where string, look func(job.Result)) {
	t.Helper()
	was := s.from(t, where)
	eventually(t, func() bool { // those that are ready may be of another kind yet
		look(s.runSpec(t, spec))
		if s.from(t, where) != was {
			return true
		}
		s.awaitReady(t, 1)
		return false
	})
}
