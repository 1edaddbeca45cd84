// SPDX-License-Identifier: Apache-2.0

package nsjail

import (
	"strconv"
	"strings"
	"testing"
)

// TestCgroupView: a job reads its own limits where containers have them, those of the step that runs. See cgroups(7).
func TestCgroupView(t *testing.T) {
	b := requireSandbox(t)
	sb := b.sandbox(t)
	at := func(file string) string { return "/sys/fs/cgroup/" + file }
	memory, quota, period := at("memory/memory.limit_in_bytes"), at("cpu/cpu.cfs_quota_us"), at("cpu/cpu.cfs_period_us")
	if b.cgroups.at.v2() {
		memory, quota, period = at("memory.max"), at("cpu.max"), ""
	}
	for _, want := range []Resources{
		{MemoryMax: 64 << 20, PidsMax: 32, CPUMillicores: 500},
		{MemoryMax: 96 << 20, PidsMax: 32, CPUMillicores: 2000},
	} {
		show := func(path string) []string {
			p := process("show", path)
			p.Resources = want
			r := b.runStep(t, sb, p)
			if r.Verdict != Exited || r.ExitCode != 0 {
				t.Fatalf("%s can't be read: %v, exit code %d, %s", path, r.Verdict, r.ExitCode, r.Stderr.Data)
			}
			return strings.Fields(string(r.Stdout.Data))
		}
		if got, want := show(memory)[0], strconv.FormatInt(want.MemoryMax+initMemory, 10); got != want {
			t.Errorf("%s is %s, want %s", memory, got, want)
		}
		words := show(quota)
		if period != "" {
			words = append(words, show(period)...)
		}
		if got := 1000 * number(t, words[0]) / number(t, words[1]); got != want.CPUMillicores {
			t.Errorf("%s says %d thousandths of a core, want %d", quota, got, want.CPUMillicores)
		}
	}
}

func number(t *testing.T, s string) int64 {
	t.Helper()
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return n
}
