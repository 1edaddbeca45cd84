// SPDX-License-Identifier: Apache-2.0

package nsjail

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/ccee-dev/ccee/e2e/patience"
)

// weightOf reads the kernel's weight of sb: on v1 as cpu.shares, whose default is 1024.
func weightOf(t *testing.T, sb *Sandbox) string {
	t.Helper()
	file, unit := "cpu.shares", map[string]string{"1024": "100", "256": "25", "512": "50"}
	if sb.cg.at.v2() {
		file, unit = "cpu.weight", nil
	}
	text, err := os.ReadFile(filepath.Join(sb.cg.at.cpu, file))
	if err != nil {
		t.Error(err)
	}
	got := strings.TrimSpace(string(text))
	if as, ok := unit[got]; ok {
		return as
	}
	return got
}

// TestCPUWeightSet: a sandbox keeps its weight through what makes the kernel forget it, and dies with the default one.
func TestCPUWeightSet(t *testing.T) {
	b := requireSandbox(t)
	sb := b.sandbox(t)
	set := func(weight int64, want string) {
		t.Helper()
		if err := sb.SetCPUWeight(weight); err != nil || weightOf(t, sb) != want {
			t.Errorf("weight %d: %v, the kernel has %s, want %s", weight, err, weightOf(t, sb), want)
		}
	}
	set(DefaultCPUWeight, "100")
	set(25, "25")
	for _, bad := range []int64{-1, 0, 10_001} {
		if sb.SetCPUWeight(bad) == nil || weightOf(t, sb) != "25" {
			t.Errorf("weight %d was taken, or the old one is gone: the kernel has %s", bad, weightOf(t, sb))
		}
	}
	start := pausing(1, "show", "f")
	start.Resources.Idle = true
	start.Decide = func(Syscall) Answer { // the kernel refuses weights of an idle cgroup
		if err := sb.SetCPUWeight(50); err != nil {
			t.Errorf("a weight while the program starts idle: %v", err)
		}
		return Answer{Errno: unix.EPERM}
	}
	if r := b.runStep(t, sb, start); r.Verdict != Paused || weightOf(t, sb) != "50" {
		t.Errorf("%v, and after it was idle its weight is %s, want 50", r.Verdict, weightOf(t, sb))
	}
	set(100, "100")
	set(25, "25")
	if sb.kill(); weightOf(t, sb) != "100" {
		t.Errorf("killed it has weight %s, want 100", weightOf(t, sb))
	}
	set(50, "100")
	if err := sb.Close(); err != nil || sb.SetCPUWeight(50) != nil {
		t.Errorf("closed: %v, then a weight: %v", err, sb.SetCPUWeight(50))
	}
}

// TestCPUWeightShares: of two busy programs on one CPU the one with a quarter of the weight gets a quarter of the other's CPU time; with
// the same weight, which is the control, as much. The weight is set while they run.
func TestCPUWeightShares(t *testing.T) {
	b := requireSandbox(t)
	var all, one unix.CPUSet
	if err := unix.SchedGetaffinity(0, &all); err != nil {
		t.Fatal(err)
	}
	for cpu := 0; one.Count() == 0; cpu++ {
		if all.IsSet(cpu) {
			one.Set(cpu)
		}
	}
	ratio := map[int64]float64{}
	for _, weight := range []int64{DefaultCPUWeight, DefaultCPUWeight / 4} {
		heavy, light := b.sandbox(t), b.sandbox(t)
		for _, sb := range []*Sandbox{heavy, light} {
			if err := unix.SchedSetaffinity(sb.pid, &one); err != nil { // sandbox-init's, which the program inherits
				t.Fatal(err)
			}
		}
		spin := process("spin")
		spin.WallTime = 2 * time.Second // on a slow machine too: it has nothing to do but to burn
		ended := make(chan Result, 1)
		lighter := spin
		lighter.OnStart = func() {
			if err := light.SetCPUWeight(weight); err != nil {
				t.Error(err)
			}
		}
		go func() {
			r, err := light.Run(patience.Context(t), lighter)
			if err != nil {
				t.Error(err)
			}
			ended <- r
		}()
		of := b.runStep(t, heavy, spin)
		other := patience.Receive(t, ended, "the light program ends")
		if of.Verdict != WallTime || other.Verdict != WallTime {
			t.Fatalf("%v and %v, want WallTime of both", of.Verdict, other.Verdict)
		}
		ratio[weight] = (of.Usage.User + of.Usage.System).Seconds() / (other.Usage.User + other.Usage.System).Seconds()
	}
	t.Logf("CPU time of one with 100 by that of one with the weight: %v", ratio)
	if equal, quarter := ratio[DefaultCPUWeight], ratio[DefaultCPUWeight/4]; quarter < 2*equal {
		t.Errorf("a program gets %.1f times as much as one with a quarter of its weight, and %.1f times as much as one with the same: "+
			"want twice that or more", quarter, equal)
	}
}
