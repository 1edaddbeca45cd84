package capacity

import "math"

// host is one machine: jobs share its cores, and one task at a time makes a sandbox ahead.
type host struct {
	profile *Profile
	works   []work
	now     float64
	running []running
	ready   []int // sandboxes that wait, by language
	wanted  []float64
	made    int // all of them
	busy    float64
	next    float64 // when something ends
	index   int     // in the heap
}

// running is a job, or the making of a sandbox.
type running struct {
	job      int // index of the arrival; making: the language, as -1-language
	left     float64
	width    float64
	language int
}

func newHost(p *Profile, works []work) *host {
	h := &host{profile: p, works: works, ready: make([]int, len(works)), wanted: make([]float64, len(works)), next: math.Inf(1)}
	for i := range h.wanted {
		h.wanted[i] = math.Inf(-1)
	}
	return h
}

// jobs is how many jobs run.
func (h *host) jobs() int {
	if h.making() {
		return len(h.running) - 1
	}
	return len(h.running)
}

func (h *host) making() bool {
	for _, r := range h.running {
		if r.job < 0 {
			return true
		}
	}
	return false
}

// shares gives each that runs its part of the cores: all the same, but none more than it can use.
func (h *host) shares(each func(r *running, cores float64)) {
	left, open := float64(h.profile.Cores), len(h.running)
	given := make([]float64, len(h.running))
	for open > 0 {
		fair, capped := left/float64(open), false
		for i := range h.running {
			if given[i] == 0 && h.running[i].width <= fair {
				given[i] = h.running[i].width
				left -= given[i]
				open--
				capped = true
			}
		}
		if !capped {
			for i := range h.running {
				if given[i] == 0 {
					given[i] = fair
				}
			}
			break
		}
	}
	for i := range h.running {
		each(&h.running[i], given[i])
	}
}

// advance lets the time pass until t.
func (h *host) advance(t float64) {
	passed := t - h.now
	h.now = t
	if passed <= 0 {
		return
	}
	h.shares(func(r *running, cores float64) {
		r.left -= cores * passed
		h.busy += cores * passed
	})
}

// plan works out when something ends next.
func (h *host) plan() {
	h.next = math.Inf(1)
	h.shares(func(r *running, cores float64) { h.next = min(h.next, h.now+max(0, r.left)/cores) })
}

// begin starts a job of that size and reports whether it has a sandbox that was made ahead.
func (h *host) begin(job, language int, size float64) (warm bool) {
	w := h.works[language]
	h.wanted[language] = h.now
	r := running{job: job, left: w.cold * size, width: w.width, language: language}
	if warm = h.ready[language] > 0; warm {
		h.ready[language]--
		h.made--
		r.left, r.width = w.warm*size, 1
	}
	h.running = append(h.running, r)
	h.refill()
	return warm
}

// end takes away what is over, tells of the jobs, and makes the next sandbox.
func (h *host) end(over func(job int)) {
	const dust = 1e-12
	kept := h.running[:0]
	for _, r := range h.running {
		switch {
		case r.left > dust:
			kept = append(kept, r)
		case r.job < 0:
			h.ready[r.language]++
			h.made++
		default:
			over(r.job)
		}
	}
	h.running = kept
	h.refill()
}

// readyFor is how long sandboxes are made for a language after its last job, in seconds: daemon/ready.go.
const readyFor = 60

// refill begins to make a sandbox as daemon/ready.go does: when a core is free, for the language that has the fewest, within its part.
func (h *host) refill() {
	if h.making() || len(h.running) >= h.profile.Cores {
		return
	}
	kinds, least := 0, -1
	for l, at := range h.wanted {
		if h.now-at > readyFor {
			continue
		}
		kinds++
		if least < 0 || h.ready[l] < h.ready[least] || h.ready[l] == h.ready[least] && at > h.wanted[least] {
			least = l
		}
	}
	if least < 0 || h.made >= h.profile.Ready || h.ready[least] >= max(1, h.profile.Ready/kinds) || h.works[least].ahead == 0 {
		return
	}
	h.running = append(h.running, running{job: -1, left: h.works[least].ahead, width: h.works[least].width, language: least})
}
