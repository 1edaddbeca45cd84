// SPDX-License-Identifier: Apache-2.0

package daemon

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/ccee-dev/ccee/job"
)

// clocks are programs that print, one number a line, milliseconds that their process has been there or has had a CPU (age), or times of
// day of its start in milliseconds (began).
var clocks = []struct {
	name, language, source string
}{
	{"age of Node", "javascript", `
		const { performance: p, PerformanceObserver } = require('perf_hooks');
		const all = [p.now(), process.uptime() * 1e3, p.measure('all').duration, p.mark('m').startTime, p.nodeTiming.duration,
			p.nodeTiming.bootstrapComplete, p.nodeTiming.nodeStart, p.nodeTiming.v8Start, p.nodeTiming.environment, new Event('x').timeStamp,
			p.toJSON().nodeTiming.duration, p.eventLoopUtilization().active, setTimeout(() => {}, 1)._idleStart, p.timeOrigin + p.now() - Date.now() + 2];
		new PerformanceObserver(l => { for (const e of l.getEntries()) console.log(e.startTime) }).observe({ entryTypes: ['function'] });
		p.timerify(() => {})();
		for (const n of all) console.log(n);
		setImmediate(() => console.log(p.nodeTiming.loopStart));`},
	{"start of Node", "javascript", `console.log(performance.timeOrigin); console.log(performance.toJSON().timeOrigin); console.log(Date.now() - process.uptime() * 1e3 + 1)`},
	{"age of a JVM", "java", inMain(`System.out.println(java.lang.management.ManagementFactory.getRuntimeMXBean().getUptime());
		System.out.println(java.time.Duration.between(ProcessHandle.current().info().startInstant().get(), java.time.Instant.now()).toNanos() / 1e6);`)},
	{"start of a JVM", "java", inMain(`System.out.println(java.lang.management.ManagementFactory.getRuntimeMXBean().getStartTime());
		System.out.println(ProcessHandle.current().info().startInstant().get().toEpochMilli() + " " + ProcessHandle.of(ProcessHandle.current().pid()).get().info().startInstant().get().toEpochMilli());`)},
}

// A runtime that was started ahead begins with its job: no clock says that it was there before the job was sent.
func TestClocks(t *testing.T) {
	s := realDaemon(t, func(o *Options) { o.Ready, o.Warm = 1, true })
	for _, tt := range clocks {
		t.Run(tt.name, func(t *testing.T) {
			spec := job.Spec{Language: tt.language, Source: tt.source, Run: job.Limits{CPUMillicores: 1000}}
			var sent time.Time
			var took time.Duration
			var step *job.Step
			s.warmly(t, func() {
				sent = time.Now()
				step = last(t, s.runSpec(t, spec))
				took = time.Since(sent)
			})
			// Of a cold process proc(5) tells the start by its seconds of boot, up to a second early: the warm run, the last, is judged.
			least, most := 0.0, float64(took)/float64(time.Millisecond)
			if strings.HasPrefix(tt.name, "start") {
				least = float64(sent.UnixMilli())
				most += least + 1
			}
			if !step.OK() {
				t.Fatal(describeStep(step))
			}
			for i, word := range strings.Fields(string(step.Stdout.Data)) {
				if n, err := strconv.ParseFloat(word, 64); err != nil || n < least || n > most {
					t.Errorf("number %d is %s, want one from %.0f to %.0f", i+1, word, least, most)
				}
			}
		})
	}
}

// cpuTimes are programs that print how many milliseconds of CPU time their process has had, and their first thread.
var cpuTimes = []struct{ language, source string }{
	{"python", "import time, resource, os\nu = resource.getrusage(resource.RUSAGE_SELF)\nprint(time.process_time() * 1e3, time.thread_time() * 1e3, (u.ru_utime + u.ru_stime) * 1e3, sum(os.times()[:2]) * 1e3)"},
	{"javascript", "const u = process.cpuUsage(), r = process.resourceUsage(); console.log((u.user + u.system) / 1e3, (r.userCPUTime + r.systemCPUTime) / 1e3)"},
	{"java", inMain(`var t = java.lang.management.ManagementFactory.getThreadMXBean(); System.out.println(((com.sun.management.OperatingSystemMXBean) java.lang.management.ManagementFactory.getOperatingSystemMXBean()).getProcessCpuTime() / 1e6
		+ " " + ProcessHandle.current().info().totalCpuDuration().get().toNanos() / 1e6 + " " + t.getCurrentThreadCpuTime() / 1e6 + " " + t.getCurrentThreadUserTime() / 1e6 + " " + t.getThreadCpuTime(Thread.currentThread().threadId()) / 1e6);`)},
}

// What a runtime used before its job is not much more than it uses when it is started cold: a JVM that practised compiling doesn't count
// that.
func TestClocksOfTheCPU(t *testing.T) {
	cold := realDaemon(t, func(o *Options) { o.Ready = 0 })
	warm := realDaemon(t, func(o *Options) { o.Ready, o.Warm = 1, true })
	for _, tt := range cpuTimes {
		t.Run(tt.language, func(t *testing.T) {
			spec := job.Spec{Language: tt.language, Source: tt.source, Run: job.Limits{CPUMillicores: 1000}}
			want := numbers(t, last(t, cold.runSpec(t, spec)))
			warm.warmly(t, func() {
				got := numbers(t, last(t, warm.runSpec(t, spec)))
				if len(got) != len(want) || len(want) == 0 {
					t.Fatalf("%v, cold %v", got, want)
				}
				for i := range want {
					if got[i] > 3*want[i]+50 {
						t.Errorf("number %d is %v ms, cold it is %v", i, got[i], want[i])
					}
				}
			})
		})
	}
}

// warmly calls run, which runs a job, until that job was served by a runtime that had waited while another job, for which nothing is made
// ahead, ran.
func (s *served) warmly(t *testing.T, run func()) {
	t.Helper()
	other := job.Spec{Language: "python", Source: "import time; time.sleep(.2)", Run: job.Limits{TmpBytes: 8 * job.MiB}}
	eventually(t, func() bool {
		was := s.from(t, "warm")
		run()
		if s.from(t, "warm") != was {
			return true
		}
		s.awaitReady(t, 1)
		s.runSpec(t, other)
		return false
	})
}

func numbers(t *testing.T, s *job.Step) (out []float64) {
	t.Helper()
	for word := range strings.FieldsSeq(string(s.Stdout.Data)) {
		n, err := strconv.ParseFloat(word, 64)
		if err != nil {
			t.Fatal(fmt.Errorf("%w\n%s", err, describeStep(s)))
		}
		out = append(out, n)
	}
	return out
}
