// SPDX-License-Identifier: Apache-2.0

package daemon

import (
	"strings"
	"testing"

	"github.com/ccee-dev/ccee/job"
)

// endings are programs about how a runtime starts and ends, with what they must print (nothing: see status) and how they must end,
// by the language's documentation.
var endings = []struct {
	name, language, source string
	files                  []job.File
	stdout, status         string
}{
	{"global file is flushed", "python", "import os\ndef solve(n): return n\nf = os.fdopen(os.dup(1), 'w')\nf.write('x' * 10)", nil, "xxxxxxxxxx", "0"},
	{"global file with a class", "python", "import os\nclass A: pass\nf = os.fdopen(os.dup(1), 'w')\nprint('x', file=f)", nil, "x\n", "0"},
	{"__del__ of a global", "python", "class A:\n  def __del__(self): print('bye')\na = A()", nil, "bye\n", "0"},
	{"__del__ in a cycle", "python", "class A:\n  def __del__(self): print('bye')\na = A()\na.a = a", nil, "bye\n", "0"},
	{"__del__ without a dictionary", "python", "class A(int):\n  __slots__ = ()\n  def __del__(self): print('bye')\na = A()\ndef f(): return a", nil, "bye\n", "0"},
	{"__del__ of what hangs on a module", "python", "import os\nclass A:\n  def __del__(self, write=os.write): write(1, b'bye')\nos.a = A()", nil, "bye", "0"},
	{"__del__ of what hangs on a function", "python", "import os\nclass A:\n  def __del__(self, write=os.write): write(1, b'bye')\nos.getenv.a = A()", nil, "bye", "0"},
	{"__del__ of what hangs on builtins", "python", "import os, builtins\nclass A:\n  def __del__(self, write=os.write): write(1, b'bye')\nbuiltins.a = A()", nil, "bye", "0"},
	{"__del__ of what hangs on sys", "python", "import os, sys\nclass A:\n  def __del__(self, write=os.write): write(1, b'bye')\nsys.a = A()", nil, "bye", "0"},
	{"__del__ and SystemExit", "python", "import sys\nclass A:\n  def __del__(self): print('bye')\ndef f(): pass\na = A()\nsys.exit(3)", nil, "bye\n", "3"},
	{"__del__ and an exception", "python", "class A:\n  def __del__(self): print('bye')\na = A()\nraise ValueError", nil, "bye\n", "1"},
	{"__del__ in a forked child", "python", "import os\nclass A:\n  def __del__(self): print('bye', os.getpid() == me)\na = A()\nme = os.getpid()\nif os.fork(): os.wait()", nil, "bye False\nbye True\n", "0"},
	{"finally of a generator", "python", "def g():\n  try: yield\n  finally: print('finally')\nx = g()\nnext(x)", nil, "finally\n", "0"},
	{"callback of a weak reference", "python", "import weakref\nclass A: pass\na = A()\nweakref.finalize(a, print, 'gone')", nil, "gone\n", "0"},
	{"order of atexit", "python", "import atexit\natexit.register(print, 1)\natexit.register(print, 2)\nclass A:\n  def __del__(self): print('del')\na = A()\nprint('main')", nil, "main\n2\n1\ndel\n", "0"},
	{"atexit raises", "python", "import atexit\natexit.register(print, 1)\natexit.register(divmod, 1, 0)", nil, "1\n", "0"},
	{"threads at the end", "python", "import threading, time\ndef f(): e.wait(); print('thread')\ne = threading.Event()\nthreading.Thread(target=f).start()\nthreading.Thread(target=time.sleep, args=(60,), daemon=True).start()\nprint('main'); e.set()", nil, "main\nthread\n", "0"},
	{"SystemExit with a text", "python", "import sys\nsys.exit('text')", nil, "", "1"},
	{"SystemExit beyond a byte", "python", "import sys\nsys.exit(300)", nil, "", "44"},
	{"os._exit", "python", "import os\nprint('lost')\nos._exit(3)", nil, "", "3"},
	{"stdout is closed", "python", "import os\nprint('lost')\nos.close(1)", nil, "", "120"},
	{"interrupted", "python", "import os, signal, atexit\natexit.register(print, 'atexit')\nos.kill(os.getpid(), signal.SIGINT)\nwhile True: pass", nil, "atexit\n", "SIGINT"},
	{"terminated", "python", "import os, signal\nprint('lost')\nos.kill(os.getpid(), signal.SIGTERM)", nil, "", "SIGTERM"},
	{"alarm", "python", "import signal\nsignal.setitimer(signal.ITIMER_REAL, .01)\nwhile True: signal.pause()", nil, "", "SIGALRM"},
	{"signals at the start", "python", "import signal\nprint([(s.name, signal.getsignal(s).name) for s in signal.valid_signals() if isinstance(s, signal.Signals) and isinstance(signal.getsignal(s), signal.Handlers) and signal.getsignal(s) != signal.SIG_DFL], signal.pthread_sigmask(0, []), signal.sigpending())", nil, "[('SIGPIPE', 'SIG_IGN'), ('SIGXFSZ', 'SIG_IGN')] set() set()\n", "0"},
	{"collector", "python", "import gc\nprint(gc.get_freeze_count(), gc.callbacks, gc.get_debug(), len(gc.get_objects()) > 1000, len(gc.get_referrers(__builtins__)) > 1)", nil, "0 [] 0 True True\n", "0"},
	{"modules at the start", "python", "import sys\nprint(*sorted(sys.modules), *sorted(vars(sys)), sys._xoptions, sys.orig_argv, sys.warnoptions, sys.path, sys.flags, *sys.path_importer_cache)", nil, "", "0"},
	{"own modules with names of the library's", "python", "for m in 'signal enum types operator functools keyword reprlib collections re sitecustomize usercustomize': pass\nimport signal, enum, types, functools, sitecustomize\nprint(signal.x, enum.x, types.x, functools.x, sitecustomize.x)",
		[]job.File{{Name: "signal.py", Data: []byte("x = 1")}, {Name: "enum.py", Data: []byte("x = 2")}, {Name: "types.py", Data: []byte("x = 3")}, {Name: "functools.py", Data: []byte("x = 4")}, {Name: "sitecustomize.py", Data: []byte("x = 5")}}, "1 2 3 4 5\n", "0"},
	{"children of all kinds", "python", "import subprocess, sys\nfor a in [], ['-I'], ['-E'], ['-S'], ['-s'], ['-B'], ['-X', 'dev']: print(subprocess.run([sys.executable, *a, '-c', 'import sys; print(sys.flags, sys.path, sorted(sys.modules), sys._xoptions)'], capture_output=True, text=True))", nil, "", "0"},

	{"order of exit and beforeExit", "javascript", "process.on('exit', c => console.log('exit', c));\nlet n = 0;\nprocess.on('beforeExit', c => { console.log('before', c); if (n++ < 1) setTimeout(() => {}, 1); process.exitCode = 4 })", nil, "before 0\nbefore 4\nexit 4\n", "4"},
	{"exit sets the code", "javascript", "process.on('exit', c => { process.exitCode = 9; setTimeout(() => console.log('never'), 0) })", nil, "", "9"},
	{"rejection", "javascript", "process.on('exit', c => console.log('exit', c));\nPromise.reject(new Error('no'))", nil, "exit 1\n", "1"},
	{"rejection of a value", "javascript", "Promise.reject(7)", nil, "", "1"},
	{"rejection is handled", "javascript", "process.on('unhandledRejection', e => console.log('handled', e)); Promise.reject(7)", nil, "handled 7\n", "0"},
	{"exception is handled", "javascript", "process.on('uncaughtException', (e, o) => console.log(e, o)); setTimeout(() => console.log('later'), 1); throw 7", nil, "7 uncaughtException\nlater\n", "0"},
	{"handler throws", "javascript", "process.on('uncaughtException', () => { throw 8 }); throw 7", nil, "", "7"},
	{"await without end", "javascript", "console.log('a'); await new Promise(() => {})", nil, "a\n", "13"},
	{"exit with much output", "javascript", "process.stdout.write('x'.repeat(60000)); process.exit(2)", nil, strings.Repeat("x", 60000), "2"},
	{"node is terminated", "javascript", "console.log('a'); process.kill(process.pid, 'SIGTERM'); setTimeout(() => {}, 1e6)", nil, "a\n", "SIGTERM"},
	{"node hangs up", "javascript", "process.kill(process.pid, 'SIGHUP'); setTimeout(() => {}, 1e6)", nil, "", "SIGHUP"},
	{"node handles a signal", "javascript", "process.once('SIGTERM', (s, n) => { console.log(s, n); clearTimeout(t) }); const t = setTimeout(() => {}, 1e6); process.kill(process.pid, 'SIGTERM')", nil, "SIGTERM 15\n", "0"},
	{"node ignores SIGPIPE", "javascript", "process.kill(process.pid, 'SIGPIPE'); setTimeout(() => console.log('a'), 1)", nil, "a\n", "0"},
	{"timers without a reference", "javascript", "setTimeout(() => console.log('never'), 1e6).unref(); setImmediate(() => console.log('a')); process.nextTick(() => console.log('b'))", nil, "b\na\n", "0"},
	{"worker ends", "javascript", "const { Worker, isMainThread } = require('worker_threads');\nif (isMainThread) new Worker(__filename).on('exit', c => console.log('exit', c)); else process.exit(5)", nil, "exit 5\n", "0"},
	{"node at the start", "javascript", "console.log(process.eventNames(), process.exitCode, process.execArgv, process.argv0, process.title, Object.keys(require.cache), module.children, module.parent, require.main === module, Object.getOwnPropertyNames(process).sort(), Object.getOwnPropertyNames(globalThis), process.env.NODE_OPTIONS, String(process.uptime), String(performance.now), process.umask())", nil, "", "0"},
	{"timer knows when", "javascript", "const t = setTimeout(() => {}, 1); console.log(t._idleStart < 3000, require('util').inspect(performance.now), require('util').inspect(process.uptime))", nil, "true [Function: now] [Function: uptime]\n", "0"},

	{"hooks and output without a line's end", "java", inMain(`Runtime.getRuntime().addShutdownHook(new Thread(() -> System.out.print("hook"))); System.out.print("main ");`), nil, "main hook", "0"},
	{"exit in another thread", "java", inMain(`new Thread(() -> System.exit(5)).start(); Thread.sleep(100_000);`), nil, "", "5"},
	{"exception in main while others go on", "java", inMain(`Thread t = Thread.currentThread(); new Thread(() -> { try { t.join(); } catch (InterruptedException e) { } System.out.print("thread"); }).start(); throw new Exception("no");`), nil, "thread", "1"},
	{"exception in another thread", "java", inMain(`Thread t = new Thread(() -> { throw new RuntimeException("no"); }); t.start(); t.join(); System.out.print("main");`), nil, "main", "0"},
	{"daemon threads", "java", inMain(`Thread t = new Thread(() -> { try { Thread.sleep(100_000); } catch (InterruptedException e) { } }); t.setDaemon(true); t.start();`), nil, "", "0"},
	{"halt", "java", inMain(`Runtime.getRuntime().addShutdownHook(new Thread(() -> System.out.print("never"))); Runtime.getRuntime().halt(6);`), nil, "", "6"},
	{"buffer that nobody flushes", "java", inMain(`new java.io.BufferedOutputStream(System.out).write(65); new java.io.PrintStream(new java.io.FileOutputStream(java.io.FileDescriptor.out)).print("a");`), nil, "a", "0"},
	{"JVM is terminated", "java", inMain(`Runtime.getRuntime().addShutdownHook(new Thread(() -> System.out.print("hook"))); ProcessHandle p = ProcessHandle.current(); new ProcessBuilder("sh", "-c", "kill " + p.pid()).start(); Thread.sleep(100_000);`), nil, "hook", "143"},
	{"threads", "java", inMain(`Thread t = new Thread(() -> {}); System.out.print(t.getName() + " " + Thread.currentThread() + " " + Thread.activeCount() + " " + Thread.currentThread().getThreadGroup().activeGroupCount()); System.err.print(t.threadId() + " " + Thread.ofVirtual().unstarted(() -> {}).threadId());`), nil, "Thread-0 Thread[#3,main,5,main] 1 0", "0"},
	// Practice made more collections than these. One may come at any time: a JVM that was started ahead has in eden what javac left there.
	{"management", "java", inMain(`var r = java.lang.management.ManagementFactory.getRuntimeMXBean(); System.out.print(r.getInputArguments().stream().filter(x -> x.contains("agent")).toList() + " " + r.getClassPath() + java.lang.management.ManagementFactory.getGarbageCollectorMXBeans().stream().map(g -> " " + (g.getCollectionCount() < 3) + " " + (g.getCollectionCount() == 0) + (((com.sun.management.GarbageCollectorMXBean) g).getLastGcInfo() == null)).toList().toString().replace("falsefalse", "truetrue"));`), nil, "[] .[ true truetrue,  true truetrue]", "0"},
	{"uncaught StackOverflowError", "java", "public class Main { static int f(int n) { return f(n + 1) + 1; } public static void main(String[] a) { try { f(0); } catch (StackOverflowError e) { System.out.print(\"over\"); } } }", nil, "over", "0"},
}

// inMain is a Java program whose main method does that.
func inMain(statements string) string {
	return "public class Main { public static void main(String[] a) throws Exception { " + statements + " } }"
}

// A program starts and ends as it would outside, where nothing of ours starts or ends it: in a sandbox made at once, and with a runtime
// that was started ahead.
func TestEndings(t *testing.T) {
	cold := realDaemon(t, func(o *Options) { o.Ready = 0 })
	warm := realDaemon(t, func(o *Options) { o.Ready, o.Warm = 2, true })
	out := newOutside(t, cold)
	for _, tt := range endings {
		t.Run(tt.name, func(t *testing.T) {
			spec := job.Spec{Language: tt.language, Source: tt.source, Files: tt.files, Run: job.Limits{CPUMillicores: 1000}}
			want := out.run(t, spec)
			status, text, _ := strings.Cut(want, "\n")
			if status != tt.status || tt.stdout != "" && !strings.HasPrefix(text, tt.stdout+"\n") {
				t.Errorf("outside it ends with %q, want %s and %.300q", want, tt.status, tt.stdout)
			}
			res := cold.runSpec(t, spec)
			if got := endOf(last(t, res)); got != want {
				t.Errorf("cold:\n%s\noutside:\n%s", got, want)
			}
			warm.same(t, spec, "warm", comparable(res))
		})
	}
}
