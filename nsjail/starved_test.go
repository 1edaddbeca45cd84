// SPDX-License-Identifier: Apache-2.0

package nsjail

import (
	"fmt"
	"os/exec"
	"runtime"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/ccee-dev/ccee/e2e/patience"
)

// TestStarvedSum: only what the host withheld counts, not what the program's own rate did.
func TestStarvedSum(t *testing.T) {
	const second = time.Second
	for _, tt := range []struct {
		name              string
		millicores        int64
		wall, cpu, waited time.Duration
		want              time.Duration // 0: nothing is said
	}{
		{"sleeps", 1000, 4 * second, second / 100, second / 100, 0},
		{"runs all the time", 1000, 4 * second, 4 * second, second / 10, 0},
		{"gets nothing", 1000, 4 * second, 0, 4 * second, 4 * second},
		{"gets a quarter", 1000, 4 * second, second, 3 * second, 3 * second},
		{"gets all of its quarter", 250, 4 * second, second, 3 * second, 0},
		{"gets half of its quarter", 250, 4 * second, second / 2, 3500 * time.Millisecond, 2 * second},
		{"sleeps and is kept waiting now and then", 1000, 4 * second, second, second / 2, 0},
		{"just enough", 1000, 4 * second, second, second, second},
	} {
		e, ok := starved(Process{WallTime: tt.wall, Resources: Resources{CPUMillicores: tt.millicores}}, Usage{User: tt.cpu}, tt.waited)
		if ok != (tt.want > 0) || ok && e != (Evidence{Starved, tt.want.Milliseconds(), tt.wall.Milliseconds() / 4, "ms"}) {
			t.Errorf("%s: %+v, %t, want %v", tt.name, e, ok, tt.want)
		}
	}
	for text, want := range map[string]time.Duration{
		"some avg10=0.00 avg60=0.00 avg300=0.00 total=7\nfull avg10=1.00 avg60=0.00 avg300=0.00 total=1500000\n": 1500 * time.Millisecond,
		"some avg10=0.00 avg60=0.00 avg300=0.00 total=7\n":                                                       0, "": 0, "full total=x\n": 0,
	} {
		if got := parsePressure(text); got != want {
			t.Errorf("%q: %v, want %v", text, got, want)
		}
	}
}

// crowded is a box of its own whose programs have that weight together, beside so many busy processes on each core.
func crowded(t *testing.T, weight int64, busy int) *box {
	t.Helper()
	b := apart(t, requireSandbox(t).root)
	if err := b.cgroups.SetCeilings(Ceilings{MemoryMax: 1 << 30, PidsMax: 1000, CPUWeight: weight}); err != nil {
		t.Fatal(err)
	}
	for range busy * runtime.NumCPU() {
		cmd := exec.Command(b.root+"/prog", "spin")
		cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true} // those of one session may share one weight: autogroups, see sched(7)
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	}
	return b
}

// TestStarved: beside busy processes a wall limit that passes says whether the program wanted to run.
func TestStarved(t *testing.T) {
	b := crowded(t, 100, 2)
	for _, tt := range []struct {
		program string
		want    bool
	}{{"spin", true}, {"sleep", false}} {
		p := process(tt.program)
		p.WallTime = 3 * time.Second
		r := b.run(t, p)
		i := slices.IndexFunc(r.Evidence, func(e Evidence) bool { return e.Source == Starved })
		if r.Verdict != WallTime || (i >= 0) != tt.want {
			t.Errorf("%s: %+v, evidence of starving: %t, want %t", tt.program, r, i >= 0, tt.want)
		}
	}
}

// TestCPUWeight: with more weight a program gets more CPU time beside busy processes.
func TestCPUWeight(t *testing.T) {
	got := map[int64]time.Duration{}
	for _, weight := range []int64{100, 1000} {
		t.Run(fmt.Sprint(weight), func(t *testing.T) {
			p := process("spin")
			p.WallTime = 1500 * time.Millisecond
			r := crowded(t, weight, 4).run(t, p)
			got[weight] = r.Usage.User + r.Usage.System
			if r.Verdict != WallTime {
				t.Errorf("%+v, want WallTime", r)
			}
		})
	}
	ratio := got[1000].Seconds() / got[100].Seconds()
	t.Logf("CPU time by weight: %v, %.1f times as much", got, ratio)
	if ratio < 1.5 {
		t.Errorf("with ten times the weight it gets %.1f times as much, want 1.5 or more: %v (slowness %d)", ratio, got, patience.Slowness())
	}
}
