// SPDX-License-Identifier: Apache-2.0

package worker

import (
	"github.com/ccee-dev/ccee/job"
)

// room is what jobs take of a daemon, or what it has.
type room struct{ slots, memory, millicores int64 } // memory in bytes

func (r room) plus(o room, sign int64) room {
	return room{r.slots + sign*o.slots, r.memory + sign*o.memory, r.millicores + sign*o.millicores}
}

// needOf is the room that a job takes: the limits of its largest step, by the defaults of its language.
func needOf(spec *job.Spec, languages []job.Language) room {
	need := room{slots: 1}
	step := func(asked, byLanguage, byDefault, least job.Limits) {
		l := asked.Fill(byLanguage).Fill(byDefault)
		need.memory = max(need.memory, l.MemoryBytes, least.MemoryBytes)
		need.millicores = max(need.millicores, l.CPUMillicores, least.CPUMillicores)
	}
	l := named(languages, spec.Language)
	if len(l.Compile) > 0 {
		step(spec.Compile, l.DefaultCompile, job.DefaultCompile, l.MinCompile)
	}
	step(spec.Run, l.DefaultRun, job.DefaultRun, l.MinRun)
	return need
}

// candidate is a daemon that could run a job.
type candidate struct {
	total, free room // free: what no job has
	waiting     int  // jobs that wait there
	warm        bool // it has a prewarmed sandbox of the job's language
}

// fits reports whether a job could begin at once.
func (c candidate) fits(need room) bool {
	left := c.free.plus(need, -1)
	return left.slots >= 0 && left.memory >= 0 && left.millicores >= 0 && c.waiting == 0
}

// share is the smallest part of anything that a job would leave free, below 0 where it doesn't fit.
func (c candidate) share(need room) float64 {
	left := c.free.plus(need, -1)
	part := func(left, total int64) float64 { return float64(left) / float64(max(1, total)) }
	return min(part(left.slots, c.total.slots), part(left.memory, c.total.memory), part(left.millicores, c.total.millicores))
}

// better reports whether a job should rather go to c than to o.
func (c candidate) better(o candidate, need room) bool {
	cs, os := c.share(need), o.share(need)
	switch {
	case c.fits(need) != o.fits(need):
		return c.fits(need)
	case !c.fits(need) && c.waiting != o.waiting:
		return c.waiting < o.waiting
	case c.warm != o.warm && min(cs, os) > 0.5: // where both are hardly used, a started runtime is worth more than balance
		return c.warm
	}
	return cs > os
}

// choose returns the index of the candidate that a job should go to, -1 if there is none: the better of two that below picks. Several
// workers choose by what they knew seconds ago; the best of all would get the jobs of all of them at once, the better of two random ones
// does not (Mitzenmacher 2001, The power of two choices in randomized load balancing). Where any fits the job, only such are drawn.
// below(n) is a random number from 0 to n-1.
func choose(all []candidate, need room, below func(n int) int) int {
	var open []int
	for i, c := range all {
		if c.fits(need) {
			open = append(open, i)
		}
	}
	if len(open) == 0 {
		for i := range all {
			open = append(open, i)
		}
	}
	switch len(open) {
	case 0:
		return -1
	case 1:
		return open[0]
	}
	first := below(len(open))
	second := below(len(open) - 1)
	if second >= first { // two different ones
		second++
	}
	a, b := open[first], open[second]
	if all[b].better(all[a], need) {
		return b
	}
	return a
}
