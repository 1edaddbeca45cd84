// SPDX-License-Identifier: Apache-2.0

package worker

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/ccee-dev/ccee/job"
)

// has is a candidate with ten of each thing, of which some are free.
func has(free int64) candidate {
	return candidate{total: room{10, 1000, 10_000}, free: room{free, 100 * free, 1000 * free}}
}

func TestChoose(t *testing.T) {
	one := room{1, 100, 1000}
	with := func(c candidate, change func(*candidate)) candidate { change(&c); return c }
	waits := func(n int) candidate { return with(has(0), func(c *candidate) { c.waiting = n }) }
	first := func(int) int { return 0 } // draws the first two
	for _, tt := range []struct {
		name string
		all  []candidate
		need room
		want int
	}{
		{"nobody", nil, one, -1},
		{"one", []candidate{has(3)}, one, 0},
		{"one that is full", []candidate{has(0)}, one, 0},
		{"the emptier one", []candidate{has(3), has(4)}, one, 1},
		{"the emptier one, drawn first", []candidate{has(4), has(3)}, one, 0},
		{"of three the better of the two that are drawn", []candidate{has(3), has(4), has(9)}, one, 1},
		{"full ones are not drawn", []candidate{has(0), has(0), has(1)}, one, 2},
		{"by memory", []candidate{with(has(9), func(c *candidate) { c.free.memory = 99 }), has(1)}, one, 1},
		{"by CPU rate", []candidate{with(has(9), func(c *candidate) { c.free.millicores = 999 }), has(1)}, one, 1},
		{"others wait there", []candidate{with(has(9), func(c *candidate) { c.waiting = 1 }), has(1)}, one, 1},
		{"all full: where fewer wait", []candidate{waits(3), waits(2)}, one, 1},
		{"a larger machine", []candidate{has(5), {total: room{100, 10_000, 100_000}, free: room{60, 6000, 60_000}}}, one, 1},
		{"warm, where there is room", []candidate{has(9), with(has(8), func(c *candidate) { c.warm = true })}, one, 1},
		{"warm does not count when it gets full", []candidate{has(9), with(has(4), func(c *candidate) { c.warm = true })}, one, 0},
	} {
		if got := choose(tt.all, tt.need, first); got != tt.want {
			t.Errorf("%s: %d, want %d", tt.name, got, tt.want)
		}
	}
}

// TestChooseSpreads: with knowledge that is a round old, as with several workers, no daemon gets much more than its part.
func TestChooseSpreads(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	need := room{1, 1, 1}
	const daemons, round, rounds = 8, 40, 50
	taken := make([]int64, daemons)
	for range rounds {
		all := make([]candidate, daemons)
		for i := range all {
			left := 1000 - taken[i]
			all[i] = candidate{total: room{1000, 1000, 1000}, free: room{left, left, left}}
		}
		for range round {
			taken[choose(all, need, r.IntN)]++
		}
	}
	mean := int64(rounds * round / daemons)
	for i, n := range taken {
		if n < mean*8/10 || n > mean*12/10 {
			t.Errorf("daemon %d got %d jobs, the mean is %d: %v", i, n, mean, taken)
		}
	}
}

func TestNeedOf(t *testing.T) {
	languages := []job.Language{
		{Name: "python", DefaultRun: job.Limits{MemoryBytes: 7}},
		{Name: "java", Compile: []string{"javac"}, DefaultCompile: job.Limits{MemoryBytes: 50, CPUMillicores: 9},
			MinRun: job.Limits{MemoryBytes: 30}},
	}
	for _, tt := range []struct {
		spec job.Spec
		want room
	}{
		{job.Spec{Language: "python", Run: job.Limits{CPUMillicores: 3}}, room{1, 7, 3}},
		{job.Spec{Language: "python", Run: job.Limits{CPUMillicores: 3, MemoryBytes: 2}}, room{1, 2, 3}},
		{job.Spec{Language: "java", Run: job.Limits{CPUMillicores: 3, MemoryBytes: 2}}, room{1, 50, 9}},
		{job.Spec{Language: "java", Run: job.Limits{CPUMillicores: 3}, Compile: job.Limits{MemoryBytes: 1}}, room{1, job.DefaultRun.MemoryBytes, 9}},
	} {
		if got := needOf(&tt.spec, languages); got != tt.want {
			t.Errorf("needOf(%+v) = %v, want %v", tt.spec, got, tt.want)
		}
	}
}

func TestNextAfter(t *testing.T) {
	broken := fmt.Errorf("%w: %w", ErrBroken, job.Errorf(job.EUnavailable, "no answer"))
	for _, tt := range []struct {
		name                    string
		err                     error
		attempt, runs, refusals int
		want                    next
	}{
		{"no room", job.Errorf(job.EBusy, "full"), 1, 1, 0, whileFull},
		{"no room, later", job.Errorf(job.EBusy, "full"), 3, 1, 1, whileFull},
		{"no room for the third time", job.Errorf(job.EBusy, "full"), 1, 1, 2, giveBack},
		{"unreachable", job.Errorf(job.EUnavailable, "refused"), 3, 2, 2, withoutIt},
		{"not allowed", job.Errorf(job.EForbidden, "no"), 1, 1, 0, withoutIt},
		{"it breaks off", broken, 1, 1, 0, afterBreak},
		{"the second one breaks off", broken, 1, 2, 0, giveBack},
		{"it breaks off in a later attempt", broken, 2, 1, 0, giveBack},
		{"it still has the job", job.Errorf(job.EConflict, "running"), 1, 1, 0, elsewhere},
		{"the language is gone", job.Invalid("language", "is not offered"), 1, 1, 0, elsewhere},
		{"the checker's language is gone", job.Invalid("checker", "is not offered"), 1, 1, 0, elsewhere},
		{"an invalid job", job.Invalid("run.wallMs", "is too much"), 1, 1, 0, giveBack},
		{"cancelled", job.Errorf(job.ECancelled, "cancelled"), 1, 1, 0, giveBack},
		{"a fault of the daemon", job.Errorf(job.EInternal, "fault"), 1, 1, 0, giveBack},
		{"an error without a code", errors.New("x"), 1, 1, 0, giveBack},
	} {
		if got := nextAfter(tt.err, tt.attempt, tt.runs, tt.refusals); got != tt.want {
			t.Errorf("%s: %d, want %d", tt.name, got, tt.want)
		}
	}
}
