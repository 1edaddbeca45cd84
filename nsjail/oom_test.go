// SPDX-License-Identifier: Apache-2.0

package nsjail

import (
	"context"
	"slices"
	"testing"

	"github.com/ccee-dev/ccee/e2e/patience"
)

// TestOOMEndsAll: a job that is out of memory ends at once, though the process that the kernel kills is not its main one,
// which waits for ever.
func TestOOMEndsAll(t *testing.T) {
	b := requireSandbox(t)
	for range 5 { // now the event comes first, now the kill
		p := process("forked", "anon", forever)
		p.Resources.MemoryMax = 8 << 20
		r := b.run(t, p)
		source := func(e Evidence) bool { return e.Source == "timer wall" }
		if r.Verdict != OOMKilled || r.Signal == 0 || len(r.Evidence) == 0 || slices.ContainsFunc(r.Evidence, source) {
			t.Errorf("got %+v, want OOMKilled without a timer", r)
		}
	}
}

// TestOOMAbove: an ancestor's running out of memory is announced to every cgroup below it. A sandbox that stays below its own
// limit goes on.
func TestOOMAbove(t *testing.T) {
	b := requireSandbox(t)
	file, unlimited := "memory.limit_in_bytes", "-1"
	if b.cgroups.at.v2() {
		file, unlimited = "memory.max", "max"
	}
	bystander := b.sandbox(t)
	ctx, cancel := context.WithCancel(context.Background())
	started, done := make(chan struct{}), make(chan Result)
	p := process("sleep")
	p.OnStart = func() { close(started) }
	go func() {
		r, err := bystander.Run(ctx, p)
		if err != nil {
			t.Error(err)
		}
		done <- r
	}()
	patience.Receive(t, started, "the bystander starts")
	if err := writeFile(b.cgroups.at.memory, file, "33554432"); err != nil {
		t.Fatal(err)
	}
	if r := b.run(t, process("take", "anon", forever)); r.Verdict != OOMKilled {
		t.Errorf("who took it: %+v, want OOMKilled", r)
	}
	if err := writeFile(b.cgroups.at.memory, file, unlimited); err != nil {
		t.Fatal(err)
	}
	cancel()
	if r := patience.Receive(t, done, "the bystander ends"); r.Verdict != Cancelled {
		t.Errorf("the bystander: %+v, want that it ran on until it was cancelled", r)
	}
}

// TestOOMScore: the host's OOM killer takes jobs first, and a job can't talk its way out of that.
func TestOOMScore(t *testing.T) {
	b := requireSandbox(t)
	for _, score := range []string{"999", "0", "-1000"} {
		if got, want := string(b.run(t, process("adjust", score)).Stdout.Data), "open: Read-only file system\n"; got != want {
			t.Errorf("%s: %q, want %q", score, got, want)
		}
	}
}
