// SPDX-License-Identifier: Apache-2.0

package capacity

import (
	"math"
	"slices"
)

// host is one machine: jobs share its cores, and the CPU time that they leave is for prewarming sandboxes.
type host struct {
	profile *Profile
	works   []work
	now     float64
	jobs    []task
	making  []task      // at most one of a language
	ready   []int       // prewarmed sandboxes that wait, by language
	made    int         // all of them
	recent  [][]float64 // times of the last jobs, by language
	busy    float64     // core seconds that jobs took
	spent   float64     // core seconds that prewarming took
	next    float64     // when something ends
	index   int         // in the heap
}

// task is a job, or the making of a sandbox.
type task struct {
	job      int // index of its arrival
	language int
	left     float64 // core seconds
	width    float64 // cores that it can use
}

func newHost(p *Profile, works []work) *host {
	return &host{profile: p, works: works, ready: make([]int, len(works)), recent: make([][]float64, len(works)), next: math.Inf(1)}
}

// share divides the cores evenly among the tasks, none of which gets more than it can use, and returns the rest.
func share(cores float64, tasks []task, each func(t *task, cores float64)) float64 {
	given := make([]float64, len(tasks))
	for open := len(tasks); open > 0; {
		fair, capped := cores/float64(open), false
		for i, t := range tasks {
			if given[i] == 0 && t.width <= fair {
				given[i], capped = t.width, true
				cores -= t.width
				open--
			}
		}
		for i := range tasks {
			if !capped && given[i] == 0 {
				given[i] = fair
				cores -= fair
				open--
			}
		}
	}
	for i := range tasks {
		each(&tasks[i], given[i])
	}
	return max(0, cores)
}

// shares divides the cores among the jobs, and the rest among the sandboxes in the making, which run idle: nsjail.Resources.
func (h *host) shares(job, making func(t *task, cores float64)) {
	left := share(float64(h.profile.Cores), h.jobs, job)
	share(left, h.making, making)
}

// advance moves the clock to t.
func (h *host) advance(t float64) {
	passed := t - h.now
	h.now = t
	if passed <= 0 {
		return
	}
	each := func(sum *float64) func(*task, float64) {
		return func(t *task, cores float64) {
			t.left -= cores * passed
			*sum += cores * passed
		}
	}
	h.shares(each(&h.busy), each(&h.spent))
}

// plan computes when something ends next.
func (h *host) plan() {
	h.next = math.Inf(1)
	each := func(t *task, cores float64) {
		if cores > 0 {
			h.next = min(h.next, h.now+max(0, t.left)/cores)
		}
	}
	h.shares(each, each)
}

// begin starts a job of that size and reports whether it found a prewarmed sandbox.
func (h *host) begin(job, language int, size float64) (warm bool) {
	w := h.works[language]
	if n := len(h.recent[language]); n > 0 && n == h.profile.Ready {
		h.recent[language] = h.recent[language][1:]
	}
	h.recent[language] = append(h.recent[language], h.now)
	t := task{job: job, language: language, left: w.cold * size, width: w.width}
	if warm = h.ready[language] > 0; warm {
		h.ready[language]--
		h.made--
		t.left, t.width = w.warm*size, 1
	}
	h.jobs = append(h.jobs, t)
	h.refill()
	return warm
}

// dust is the rounding error of a task's rest: less than the resolution of the clock by now.
func (h *host) dust() float64 { return 1e-9 + 1e-15*h.now*float64(h.profile.Cores) }

// end removes the tasks that have ended, reports the jobs among them, and begins to prewarm the next sandboxes.
func (h *host) end(over func(job int)) {
	dust := h.dust()
	h.jobs = slices.DeleteFunc(h.jobs, func(t task) bool {
		if t.left <= dust {
			over(t.job)
		}
		return t.left <= dust
	})
	h.making = slices.DeleteFunc(h.making, func(t task) bool {
		if t.left <= dust {
			h.ready[t.language]++
			h.made++
		}
		return t.left <= dust
	})
	h.refill()
}

// readyFor is how long a language is prewarmed after its last job, in seconds.
const readyFor = 60

// refill begins to prewarm sandboxes as the daemon does: while a core has no job, one of a language at a time, at most the language's
// part of all and at most as many as it had recent jobs.
func (h *host) refill() {
	if len(h.jobs) >= h.profile.Cores || h.profile.Ready == 0 {
		return
	}
	jobs := make([]int, len(h.works)) // recent ones, by language
	kinds := 0
	for l, times := range h.recent {
		for _, at := range times {
			if h.now-at <= readyFor {
				jobs[l]++
			}
		}
		kinds += min(1, jobs[l])
	}
	for l, n := range jobs {
		making := slices.ContainsFunc(h.making, func(t task) bool { return t.language == l })
		if making || h.works[l].ahead == 0 || h.made+len(h.making) >= h.profile.Ready || h.ready[l] >= min(n, max(1, h.profile.Ready/max(1, kinds))) {
			continue
		}
		h.making = append(h.making, task{language: l, left: h.works[l].ahead, width: h.works[l].width})
	}
}
