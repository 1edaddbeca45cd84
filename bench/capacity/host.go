package capacity

import (
	"math"
	"slices"
)

// host is one machine: jobs share its cores, and what they leave is for making sandboxes ahead.
type host struct {
	profile *Profile
	works   []work
	now     float64
	jobs    []task
	making  []task // at most one of a language
	ready   []int  // sandboxes that wait, by language
	made    int    // all of them
	wants   [][]float64
	busy    float64 // core seconds that jobs took
	spent   float64 // core seconds that making sandboxes took
	next    float64 // when something ends
	index   int     // in the heap
}

// task is a job, or the making of a sandbox.
type task struct {
	job      int // index of its arrival
	language int
	left     float64 // core seconds
	width    float64 // cores that it can use
}

func newHost(p *Profile, works []work) *host {
	return &host{profile: p, works: works, ready: make([]int, len(works)), wants: make([][]float64, len(works)), next: math.Inf(1)}
}

// share gives each of the tasks its part of the cores, all the same but none more than it can use, and returns what is left.
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

// shares does so for the jobs, and with what they leave for the making of sandboxes, which is idle work: nsjail.Resources.
func (h *host) shares(job, making func(t *task, cores float64)) {
	left := share(float64(h.profile.Cores), h.jobs, job)
	share(left, h.making, making)
}

// advance lets the time pass until t.
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

// plan works out when something ends next.
func (h *host) plan() {
	h.next = math.Inf(1)
	each := func(t *task, cores float64) {
		if cores > 0 {
			h.next = min(h.next, h.now+max(0, t.left)/cores)
		}
	}
	h.shares(each, each)
}

// begin starts a job of that size and reports whether it has a sandbox that was made ahead.
func (h *host) begin(job, language int, size float64) (warm bool) {
	w := h.works[language]
	if n := len(h.wants[language]); n > 0 && n == h.profile.Ready {
		h.wants[language] = h.wants[language][1:]
	}
	h.wants[language] = append(h.wants[language], h.now)
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

// dust is what may be left of a task by rounding: less than the clock can tell apart by now.
func (h *host) dust() float64 { return 1e-9 + 1e-15*h.now*float64(h.profile.Cores) }

// end takes away what is over, tells of the jobs, and begins to make the next sandboxes.
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

// readyFor is how long sandboxes are made for a language after a job, in seconds.
const readyFor = 60

// refill begins to make sandboxes as daemon/ready does: while a core has no job, one of a language at a time, no more than its part of all and
// than there were jobs of late.
func (h *host) refill() {
	if len(h.jobs) >= h.profile.Cores || h.profile.Ready == 0 {
		return
	}
	recent := make([]int, len(h.works)) // jobs of late
	kinds := 0
	for l, wants := range h.wants {
		for _, at := range wants {
			if h.now-at <= readyFor {
				recent[l]++
			}
		}
		kinds += min(1, recent[l])
	}
	for l, n := range recent {
		making := slices.ContainsFunc(h.making, func(t task) bool { return t.language == l })
		if making || h.works[l].ahead == 0 || h.made+len(h.making) >= h.profile.Ready || h.ready[l] >= min(n, max(1, h.profile.Ready/max(1, kinds))) {
			continue
		}
		h.making = append(h.making, task{language: l, left: h.works[l].ahead, width: h.works[l].width})
	}
}
