package daemon

import (
	"context"
	"math"
	"slices"
	"sync"
	"time"

	"github.com/ccee-dev/ccee/job"
)

// budget bounds what runs at once, and what waits for it.
type budget struct {
	first      int // number of the first slot: numbers are the host's, not the daemon's; see claimRange
	slots      int
	memory     int64         // bytes: the sum of the running jobs' memory limits stays within it
	millicores int64         // the same of their CPU rates
	pids       int64         // the same of their processes and threads
	machine    int64         // millicores that there are: what a job may have, and no more, is reserved for it
	queue      int           // jobs that may wait
	wait       time.Duration // for how long
}

// slots admits jobs: next is the tenant whose running jobs have least, by the budget of which they have most (Ghodsi et al., Dominant Resource
// Fairness, 2011); of one tenant's jobs the one that came first. A large job whose turn it is holds up small ones; letting them pass would
// make it wait for ever on a busy machine. But it is not the turn of a tenant who has much already, however long its jobs have waited.
type slots struct {
	total budget

	mu      sync.Mutex // guards all below
	free    []int
	left    need
	held    map[string]held // by tenant
	waiting []*waiter       // in the order in which they came
	closed  bool
}

// held is what a tenant's running jobs have.
type held struct {
	need
	slots int
}

// waiter is a job in the queue. granted is buffered: who grants never waits for one that is giving up at that moment.
type waiter struct {
	need    need
	granted chan int
}

func newSlots(b budget) *slots {
	s := &slots{total: b, left: need{memory: b.memory, millicores: b.millicores, pids: b.pids}, held: map[string]held{}}
	for n := range b.slots {
		s.free = append(s.free, b.first+n)
	}
	return s
}

// acquire waits for a slot and for room in the budgets, and returns the slot's number. Its errors are *job.Error: EInvalid
// for what could never fit, EBusy when the queue is full or the wait too long, EUnavailable when draining, ECancelled when
// ctx ended.
func (s *slots) acquire(ctx context.Context, n need) (int, error) {
	n = s.usable(n)
	if err := s.fits(n); err != nil {
		return 0, err
	}
	w, slot, err := s.enter(n)
	if w == nil {
		return slot, err
	}
	timer := time.NewTimer(s.total.wait)
	defer timer.Stop()
	select {
	case slot, ok := <-w.granted:
		if !ok {
			return 0, errDraining()
		}
		return slot, nil
	case <-timer.C:
		err = job.Errorf(job.EBusy, "no room for the job within %v: try again later, or give the daemon more slots or budget", s.total.wait)
	case <-ctx.Done():
		err = job.Errorf(job.ECancelled, "the job was cancelled while it waited for a slot")
	}
	s.leave(w)
	return 0, err
}

func (s *slots) fits(n need) error {
	if n.memory > s.total.memory {
		return job.Invalid("run.memoryBytes", "comes to %d for its largest step, all that this machine gives to jobs is %d", n.memory, s.total.memory)
	}
	if n.millicores > s.total.millicores {
		return job.Invalid("run.cpuMillicores", "comes to %d for its largest step, all that this machine gives to jobs is %d", n.millicores, s.total.millicores)
	}
	if n.pids > s.total.pids {
		return job.Invalid("run.pidsMax", "comes to %d for its largest step, all that this machine gives to jobs is %d", n.pids-1, s.total.pids-1)
	}
	return nil
}

// enter takes a slot at once, or a place in the queue, which it returns.
func (s *slots) enter(n need) (*waiter, int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.closed:
		return nil, 0, errDraining()
	case len(s.waiting) == 0 && s.room(n):
		return nil, s.take(n), nil
	}
	w := &waiter{need: n, granted: make(chan int, 1)}
	s.waiting = append(s.waiting, w)
	s.grant() // it may be the turn of w's tenant
	if last := len(s.waiting) - 1; last >= s.total.queue && s.waiting[last] == w {
		s.waiting = s.waiting[:last]
		return nil, 0, job.Errorf(job.EBusy, "%d jobs are waiting already: try again later", last)
	}
	return w, 0, nil
}

// leave gives up w's place, or the slot that it was granted in the meantime.
func (s *slots) leave(w *waiter) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if i := slices.Index(s.waiting, w); i >= 0 {
		s.waiting = slices.Delete(s.waiting, i, i+1)
		s.grant() // w may have been the large one that held up the rest
		return
	}
	if slot, ok := <-w.granted; ok {
		s.put(slot, w.need)
	}
}

// release gives back what acquire took.
func (s *slots) release(slot int, n need) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.put(slot, s.usable(n))
}

// usable is n without the CPU rate that no machine can give: eight cores asked for on two are two.
func (s *slots) usable(n need) need {
	n.millicores = min(n.millicores, s.total.machine)
	return n
}

// close refuses all who wait and all who come. Slots that are taken are still released.
func (s *slots) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	for _, w := range s.waiting {
		close(w.granted)
	}
	s.waiting = nil
}

func (s *slots) room(n need) bool {
	return len(s.free) > 0 && n.memory <= s.left.memory && n.millicores <= s.left.millicores && n.pids <= s.left.pids
}

func (s *slots) take(n need) int {
	s.account(n, 1)
	slot := s.free[0]
	s.free = s.free[1:]
	return slot
}

// put appends the slot at the end, so that a slot rests as long as it can: counters that the kernel keeps by user id and
// clears late are then less likely to be seen by the next job.
func (s *slots) put(slot int, n need) {
	s.account(n, -1)
	s.free = append(s.free, slot)
	s.grant()
}

// account notes that a job has taken n, or with -1 that it has given it back.
func (s *slots) account(n need, sign int) {
	memory, millicores, pids := int64(sign)*n.memory, int64(sign)*n.millicores, int64(sign)*n.pids
	s.left.memory -= memory
	s.left.millicores -= millicores
	s.left.pids -= pids
	h := s.held[n.tenant]
	h.memory += memory
	h.millicores += millicores
	h.pids += pids
	h.slots += sign
	if s.held[n.tenant] = h; h.slots == 0 {
		delete(s.held, n.tenant)
	}
}

func (s *slots) grant() {
	for len(s.waiting) > 0 {
		next := s.next()
		w := s.waiting[next]
		if !s.room(w.need) {
			return
		}
		s.waiting = slices.Delete(s.waiting, next, next+1)
		w.granted <- s.take(w.need)
	}
}

// next is the place in the queue of the job whose turn it is.
func (s *slots) next() (place int) {
	least := math.Inf(1)
	for i, w := range s.waiting {
		if share := s.share(w.need.tenant); share < least {
			place, least = i, share
		}
	}
	return place
}

// share is a tenant's part of the budget of which its running jobs have most.
func (s *slots) share(tenant string) float64 {
	h := s.held[tenant]
	part := func(n, total int64) float64 { return float64(n) / float64(max(total, 1)) }
	return max(part(h.memory, s.total.memory), part(h.millicores, s.total.millicores), part(h.pids, s.total.pids), part(int64(h.slots), int64(s.total.slots)))
}

// busy reports whether as many jobs run as there are cores.
func (s *slots) busy() bool {
	running, _, _ := s.inUse()
	return int64(running)*1000 >= s.total.machine
}

// inUse is a snapshot for the metrics.
func (s *slots) inUse() (running, waiting int, used need) {
	s.mu.Lock()
	defer s.mu.Unlock()
	used = need{memory: s.total.memory - s.left.memory, millicores: s.total.millicores - s.left.millicores, pids: s.total.pids - s.left.pids}
	return s.total.slots - len(s.free), len(s.waiting), used
}

func errDraining() *job.Error {
	return job.Errorf(job.EUnavailable, "the daemon is shutting down: try again, or ask another one")
}
