// SPDX-License-Identifier: Apache-2.0

package daemon

import (
	"fmt"
	"runtime"
	"strings"
	"testing"

	"github.com/ccee-dev/ccee/job"
)

// What each runtime says of its limits, the program itself and a child that it starts: the processors, and the most that the heap may
// have, in MiB. Python has no heap limit.
const (
	nodeKnows = `const ask = "console.log(require('os').availableParallelism(), Math.round(require('v8').getHeapStatistics().heap_size_limit / 2**20))";
eval(ask);
process.stdout.write(require('child_process').spawnSync(process.execPath, ['-e', ask]).stdout);
new (require('worker_threads').Worker)(ask, { eval: true });`

	pythonKnows = `import os, subprocess, sys
ask = "import os; print(os.cpu_count(), os.process_cpu_count(), flush=True)"
exec(ask)
subprocess.run([sys.executable, "-c", ask])`

	javaKnows = `class Main { public static void main(String[] a) throws Exception {
  Runtime r = Runtime.getRuntime();
  System.out.println(r.availableProcessors() + " " + r.maxMemory() / 1048576);
  if (a.length > 0) return;
  String java = ProcessHandle.current().info().command().get();
  System.exit(new ProcessBuilder(java, "-cp", ".", "Main", "child").inheritIO().start().waitFor());
} }`
)

// Every runtime knows the limits of its job, whether it was started ahead or not, and so do its children. Processors: the CPU rate in
// cores, rounded as each runtime does it. Heap: less than the job's memory, and at least what a program may expect of it: of a JVM's child
// a quarter (the JVM's MaxRAMPercentage), of all others half.
func TestRuntimesKnowTheirLimits(t *testing.T) {
	s := realDaemon(t, func(o *Options) { o.Ready = 0 })
	for _, tt := range known {
		for lang, source := range knowing {
			knows(t, lang, s.runSpec(t, tt.spec(lang, source)), tt)
		}
	}
}

// A runtime that was started ahead knows them too.
func TestRuntimesKnowTheirLimitsWarm(t *testing.T) {
	s := realDaemon(t, func(o *Options) { o.Ready, o.Warm = 2, true })
	for _, tt := range known {
		for lang, source := range knowing {
			if tt.warm {
				s.until(t, tt.spec(lang, source), "warm", func(r job.Result) { knows(t, lang, r, tt) })
			}
		}
	}
}

var knowing = map[string]string{"javascript": nodeKnows, "python": pythonKnows, "java": javaKnows}

type knownLimits struct {
	limits job.Limits
	cpus   int
	warm   bool // there are such that were started ahead
}

var known = []knownLimits{
	{job.Limits{}, 1, true},
	{job.Limits{CPUMillicores: 1024}, 1, true},
	{job.Limits{CPUMillicores: 2000, MemoryBytes: 256 * job.MiB}, min(2, runtime.NumCPU()), false},
	{job.Limits{CPUMillicores: 1000, MemoryBytes: 512 * job.MiB}, 1, true},
}

func (k knownLimits) spec(lang, source string) job.Spec {
	return job.Spec{Language: lang, Source: source, Run: k.limits}
}

func knows(t *testing.T, lang string, r job.Result, k knownLimits) {
	t.Helper()
	name := fmt.Sprintf("%s, %d millicores, %d bytes", lang, k.limits.CPUMillicores, k.limits.MemoryBytes)
	cpus, memory := k.cpus, k.limits.Fill(job.DefaultRun).MemoryBytes/job.MiB
	last := r.Steps[len(r.Steps)-1]
	lines := strings.Split(strings.TrimSpace(string(last.Stdout.Data)), "\n")
	if want := map[string]int{"javascript": 3, "python": 2, "java": 2}[lang]; r.Status != job.Succeeded || len(lines) != want {
		t.Errorf("%s: %s, %s, %s; want success and %d lines", name, r.Status, last.Stdout.Data, last.Stderr.Data, want)
		return
	}
	for i, line := range lines {
		var n int
		var heap int64
		if _, err := fmt.Sscan(line, &n, &heap); err != nil {
			t.Errorf("%s: line %q: %v", name, line, err)
			continue
		}
		if lang == "python" { // both are processors
			if n != cpus || heap != int64(cpus) {
				t.Errorf("%s: process %d has %s processors, want %d", name, i, line, cpus)
			}
			continue
		}
		if lang == "java" && i > 0 { // it rounds up, and 1024 is more than a core
			n = min(n, cpus)
		}
		least := memory / 2
		if lang == "java" && i > 0 {
			least = memory/4 - 4 // without one of the two survivor spaces
		}
		if n != cpus || heap < least || heap >= memory {
			t.Errorf("%s: process %d has %d processors and a heap of %d MiB, want %d and %d to %d", name, i, n, heap, cpus, least, memory)
		}
	}
}

// A program that keeps all that it allocates ends by its language's own words, where it has some, before the kernel ends it. What it
// has in use is less than what it may: garbage is no reason to die.
func TestOutOfMemoryInWords(t *testing.T) {
	s := realDaemon(t, nil)
	garbage := `let s = 0; for (let i = 0; i < 10; i++) { const m = new Map(); for (let k = 0; k < 100000; k++) m.set(k, { k, i }); s += m.size } console.log(s)`
	for _, memory := range []int64{128 * job.MiB, 256 * job.MiB} {
		limits := job.Limits{MemoryBytes: memory, CPUMillicores: 2000, WallMs: 60_000}
		for _, tt := range []struct{ lang, source, want string }{
			{"javascript", "const a = []; for (let i = 0; ; i++) a.push({ i, s: 'x' + i })", "JavaScript heap out of memory"},
			{"javascript", "const a = []; for (;;) a.push(new Array(1000).fill(0).map((x, i) => i))", "JavaScript heap out of memory"},
			{"javascript", "const a = []; for (let i = 0; ; i++) { const j = i; a.push(() => j) }", "JavaScript heap out of memory"},
			{"java", "class Main { public static void main(String[] a) { var l = new java.util.ArrayList<Object>(); while (true) l.add(new int[1000]); } }", "java.lang.OutOfMemoryError: Java heap space"},
			{"java", "class Main { public static void main(String[] a) { var l = new java.util.ArrayList<Object>(); while (true) l.add(java.nio.ByteBuffer.allocateDirect(1 << 20)); } }", "java.lang.OutOfMemoryError: Cannot reserve"},
		} {
			r := s.runSpec(t, job.Spec{Language: tt.lang, Source: tt.source, Run: limits})
			last := r.Steps[len(r.Steps)-1]
			if last.Verdict == job.OOMKilled || !strings.Contains(string(last.Stderr.Data), tt.want) {
				t.Errorf("%s in %d bytes: %s, stderr %.300q, want %q", tt.lang, memory, last.Verdict, last.Stderr.Data, tt.want)
			}
		}
		r := s.runSpec(t, job.Spec{Language: "javascript", Source: garbage, Run: limits})
		if last := r.Steps[0]; string(last.Stdout.Data) != "1000000\n" {
			t.Errorf("garbage in %d bytes: %s, %s", memory, last.Verdict, last.Stderr.Data)
		}
	}
}
