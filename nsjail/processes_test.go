// SPDX-License-Identifier: Apache-2.0

package nsjail

import (
	"strings"
	"testing"
	"time"
)

// The lines are those of proc(5); a process chooses its name.
const (
	statTail  = " R 1 2 2 0 -1 4194304 10 0 0 0 150 20 30 4 20 0 1 0 100 1000 100 18446744073709551615"
	statusRow = "Name:\tsh\\nUid:\\t0\nUmask:\t0022\nState:\tR (running)\nUid:\t4711\t4712\t4713\t4714\nGid:\t1\t1\t1\t1\n" +
		"VmRSS:\t    9000 kB\nRssAnon:\t    4000 kB\nRssFile:\t    3000 kB\nRssShmem:\t    2000 kB\nVmSwap:\t       5 kB\nThreads:\t7\n"
)

func TestParseStat(t *testing.T) {
	want := [4]time.Duration{1500 * time.Millisecond, 200 * time.Millisecond, 300 * time.Millisecond, 40 * time.Millisecond}
	for _, name := range []string{"sh", "a b", ") R 1 2 2 0 -1 1 1 1 1 1 999 999 999 999 1 (x", "(", ")", ""} {
		if got, err := parseStat("17 (" + name + ")" + statTail); err != nil || got != want {
			t.Errorf("%q: %v, %v, want %v", name, got, err, want)
		}
	}
	negative, word := strings.Replace(statTail, "150", "-150", 1), strings.Replace(statTail, "150", "x", 1)
	for _, text := range []string{"", "17 (sh", "17 (sh) R 1 2", "17 (sh)" + negative, "17 (sh)" + word} {
		if got, err := parseStat(text); err == nil {
			t.Errorf("%q: %v, want an error", text, got)
		}
	}
}

func TestParseStatus(t *testing.T) {
	if got := realUID(statusRow); got != 4711 {
		t.Errorf("uid %d, want 4711", got)
	}
	if got, want := statusMemory(statusRow), int64(4000+2000+5)*1024; got != want {
		t.Errorf("memory %d, want %d", got, want)
	}
	if got := field(statusRow, "Threads:"); got != 7 {
		t.Errorf("%d threads, want 7", got)
	}
	if got := realUID("Name:\tx\n"); got != -1 {
		t.Errorf("uid %d without that line, want -1", got)
	}
}

func FuzzProcesses(f *testing.F) {
	f.Add("17 (sh)" + statTail)
	f.Add(statusRow)
	f.Fuzz(func(t *testing.T, text string) {
		if times, err := parseStat(text); err == nil && min(times[0], times[1], times[2], times[3]) < 0 {
			t.Errorf("negative times %v", times)
		}
		_, _, _ = realUID(text), statusMemory(text), field(text, "Threads:")
	})
}
