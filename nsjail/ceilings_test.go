// SPDX-License-Identifier: Apache-2.0

package nsjail

import (
	"fmt"
	"os/exec"
	"testing"
)

// TestParentLimits: programs that each keep to their limits, whose sum is more than there is, are refused by what all may have together;
// the host goes on to make processes. The ceilings here are small, so that nothing else comes near a limit.
func TestParentLimits(t *testing.T) {
	b := apart(t, requireSandbox(t).root)
	cgroups := b.cgroups
	const all, each = 40, 32 // processes
	if err := cgroups.SetCeilings(Ceilings{MemoryMax: 32 << 20, PidsMax: all, CPUWeight: 100}); err != nil {
		t.Fatal(err)
	}
	for _, bad := range []Ceilings{{PidsMax: 1, CPUWeight: 1}, {MemoryMax: 1, CPUWeight: 1}, {MemoryMax: 1, PidsMax: 1}} {
		if cgroups.SetCeilings(bad) == nil {
			t.Errorf("%+v was taken: it leaves something open", bad)
		}
	}

	// Processes: the first has its 32 and holds them, the second gets what is left.
	first, second := b.sandbox(t), b.sandbox(t)
	hold := process("hold", fmt.Sprint(each-1))
	hold.Resources.PidsMax = each
	var refused Result
	hold.OnOutput = func(Chunk, []byte) {
		p := process("fork", fmt.Sprint(each-1))
		p.Resources.PidsMax = each
		refused = b.runStep(t, second, p)
		if err := exec.Command("/bin/true").Run(); err != nil {
			t.Errorf("the host can't make a process: %v", err)
		}
		first.kill()
	}
	r, err := first.Run(t.Context(), hold)
	if err != nil || len(r.Stdout.Data) == 0 {
		t.Fatalf("the first: %v, %+v", err, r)
	}
	if refused.Verdict == Exited && refused.ExitCode == 0 {
		t.Errorf("the second program has %d processes too, of %d for both: %+v", each, all, refused)
	}

	// Memory: twice 24 MiB are more than 32.
	third, fourth := b.sandbox(t), b.sandbox(t)
	const take = 24 << 20
	take1 := process("take", "anon", fmt.Sprint(take), "hold")
	var over Result
	take1.OnOutput = func(Chunk, []byte) {
		over = b.runStep(t, fourth, process("take", "anon", fmt.Sprint(take)))
		third.kill()
	}
	if r, err = third.Run(t.Context(), take1); err != nil {
		t.Fatal(err)
	}
	if r.Verdict != OOMKilled && over.Verdict != OOMKilled {
		t.Errorf("%d bytes twice, of %d for both: %+v and %+v, want one to be killed", take, 32<<20, r, over)
	}
}
