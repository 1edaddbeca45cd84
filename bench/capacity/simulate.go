// SPDX-License-Identifier: Apache-2.0

package capacity

import (
	"container/heap"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
)

// Result is the result of a simulation. Times are of all jobs but the first tenth, which find empty hosts.
type Result struct {
	Hosts       int          `json:"hosts"`
	Jobs        int          `json:"jobs"`
	Utilisation float64      `json:"utilisation"` // part of the cores' time that jobs take
	Ahead       float64      `json:"ahead"`       // part of the cores' time that prewarming takes
	Warm        float64      `json:"warm"`        // part of the jobs that found a prewarmed sandbox
	Wait        Times        `json:"waitMs"`      // until a host had room
	Time        Times        `json:"timeMs"`      // from request to result
	ByLanguage  []ByLanguage `json:"languages"`
}

// ByLanguage is Result.Time of one language.
type ByLanguage struct {
	Language string `json:"language"`
	Jobs     int    `json:"jobs"`
	Time     Times  `json:"timeMs"`
}

// Times are percentiles, in milliseconds.
type Times struct {
	P50  float64 `json:"p50"`
	P99  float64 `json:"p99"`
	P999 float64 `json:"p999"`
}

// NewTimes returns the percentiles of times in seconds.
func NewTimes(seconds []float64) Times {
	if len(seconds) == 0 {
		return Times{}
	}
	s := slices.Sorted(slices.Values(seconds))
	at := func(part float64) float64 { return 1000 * s[min(len(s)-1, int(part*float64(len(s))))] }
	return Times{at(0.5), at(0.99), at(0.999)}
}

// fleet is a heap of hosts, ordered by when something ends on them.
type fleet []*host

func (f fleet) Len() int           { return len(f) }
func (f fleet) Less(i, j int) bool { return f[i].next < f[j].next }
func (f fleet) Swap(i, j int) {
	f[i], f[j] = f[j], f[i]
	f[i].index, f[j].index = i, j
}
func (f *fleet) Push(x any) { *f = append(*f, x.(*host)) }
func (f *fleet) Pop() any   { panic("a host never leaves") }

// simulation is the state of one run.
type simulation struct {
	works    []work
	arrivals []Arrival
	language []int     // of each arrival
	size     []float64 // of each: the median is 1
	fleet    fleet
	order    []*host // in the order in which they ask the queue
	queue    []int   // arrivals that wait
	began    []float64
	ended    []float64
	warm     []bool
}

// Simulate has that many hosts like the profile's run the arrivals, which must be in order. A host that has room takes the job that has
// waited longest, and of several hosts the one that has not taken one for longest, as workers do that block on one list.
func Simulate(p Profile, hosts int, arrivals []Arrival) (Result, error) {
	s, err := newSimulation(&p, hosts, arrivals)
	if err != nil {
		return Result{}, err
	}
	s.run()
	return s.result(p), nil
}

func newSimulation(p *Profile, hosts int, arrivals []Arrival) (*simulation, error) {
	if err := p.Check(); err != nil {
		return nil, err
	}
	n := len(arrivals)
	if hosts < 1 || n == 0 {
		return nil, fmt.Errorf("%d hosts and %d arrivals: want at least one of each", hosts, n)
	}
	s := &simulation{arrivals: arrivals, language: make([]int, n), size: make([]float64, n), began: make([]float64, n), ended: make([]float64, n), warm: make([]bool, n)}
	for _, l := range p.Languages {
		s.works = append(s.works, l.work())
	}
	random := rand.New(rand.NewPCG(1, 1))
	for i, a := range arrivals {
		if s.language[i] = p.find(a.Language); s.language[i] < 0 {
			return nil, fmt.Errorf("the profile has no language %q: measure it with ccee bench profile", a.Language)
		}
		spread := s.works[s.language[i]].spread
		s.size[i] = math.Exp(spread * random.NormFloat64())
	}
	for i := range hosts {
		h := newHost(p, s.works)
		h.index = i
		s.fleet = append(s.fleet, h)
	}
	s.order = slices.Clone(s.fleet)
	return s, nil
}

// run goes from event to event, until the last job has ended.
func (s *simulation) run() {
	for next, over := 0, 0; over < len(s.arrivals); {
		h := s.fleet[0]
		switch {
		case next < len(s.arrivals) && s.arrivals[next].At <= h.next:
			s.queue = append(s.queue, next)
			s.dispatch(s.arrivals[next].At)
			next++
		default:
			t := h.next
			h.advance(t)
			h.end(func(job int) {
				s.ended[job] = t
				over++
			})
			s.settle(h)
			s.dispatch(t)
		}
	}
}

// dispatch gives jobs that wait to hosts with room.
func (s *simulation) dispatch(t float64) {
	for len(s.queue) > 0 {
		i := slices.IndexFunc(s.order, func(h *host) bool { return len(h.jobs) < h.profile.Slots })
		if i < 0 {
			return
		}
		h, job := s.order[i], s.queue[0]
		s.queue = s.queue[1:]
		s.order = append(slices.Delete(s.order, i, i+1), h)
		h.advance(t)
		s.began[job] = t
		s.warm[job] = h.begin(job, s.language[job], s.size[job])
		s.settle(h)
	}
}

func (s *simulation) settle(h *host) {
	h.plan()
	heap.Fix(&s.fleet, h.index)
}

func (s *simulation) result(p Profile) Result {
	first := len(s.arrivals) / 10
	r := Result{Hosts: len(s.fleet), Jobs: len(s.arrivals)}
	var wait, time []float64
	by := make([][]float64, len(p.Languages))
	warm := 0
	for i := first; i < len(s.arrivals); i++ {
		l := s.language[i]
		t := s.ended[i] - s.arrivals[i].At
		if !s.warm[i] {
			t += s.works[l].delay
		}
		wait, time, by[l] = append(wait, s.began[i]-s.arrivals[i].At), append(time, t), append(by[l], t)
		if s.warm[i] {
			warm++
		}
	}
	r.Wait, r.Time, r.Warm = NewTimes(wait), NewTimes(time), float64(warm)/float64(len(time))
	for l, t := range by {
		if len(t) > 0 {
			r.ByLanguage = append(r.ByLanguage, ByLanguage{p.Languages[l].Name, len(t), NewTimes(t)})
		}
	}
	all := slices.Max(s.ended) * float64(len(s.fleet)*p.Cores)
	for _, h := range s.fleet {
		r.Utilisation += h.busy / all
		r.Ahead += h.spent / all
	}
	return r
}

// MaxHosts is where Size gives up.
const MaxHosts = 4096

// Size returns the result with the fewest hosts with which 99 % of the jobs wait no longer than waitMs and take no longer than timeMs,
// where that is above 0.
func Size(p Profile, arrivals []Arrival, waitMs, timeMs float64) (Result, error) {
	good := func(r Result) bool { return r.Wait.P99 <= waitMs && (timeMs <= 0 || r.Time.P99 <= timeMs) }
	lo, hi := 0, 1 // lo are too few
	var best Result
	for {
		r, err := Simulate(p, hi, arrivals)
		if err != nil {
			return r, err
		}
		if good(r) {
			best = r
			break
		}
		if hi >= MaxHosts {
			return r, fmt.Errorf("%d hosts are too few: with them 99 %% of the jobs take less than %.0f ms and wait less than %.0f ms: allow more, or give a shorter or slower load", hi, r.Time.P99, r.Wait.P99)
		}
		lo, hi = hi, 2*hi
	}
	for hi-lo > 1 {
		mid := (lo + hi) / 2
		r, err := Simulate(p, mid, arrivals)
		if err != nil {
			return r, err
		}
		if good(r) {
			hi, best = mid, r
		} else {
			lo = mid
		}
	}
	return best, nil
}
