package slots

import (
	"context"
	"math"
	"slices"
	"sync"
	"time"

	"github.com/ccee-dev/ccee/job"
)

// Budget bounds what runs at once, and the queue for it.
type Budget struct {
	First      int           // number of the first slot: numbers are unique on the host, see ClaimRange
	Slots      int           // jobs that run at once
	Memory     int64         // bytes: the running jobs' memory limits add up to no more
	Millicores int64         // the same for their CPU rates
	Pids       int64         // the same for their processes and threads
	Machine    int64         // millicores that the machine has: no job reserves more than that
	Queue      int           // jobs that may wait
	Wait       time.Duration // how long each may wait
}

// Need is the part of the budget that a job reserves while it runs.
type Need struct {
	Tenant     string
	Memory     int64 // bytes
	Millicores int64
	Pids       int64 // processes and threads, including sandbox-init
}

// Pool admits jobs. Next in turn is the tenant whose running jobs have the smallest share, by the resource of which they have most (Ghodsi et al.,
// Dominant Resource Fairness, 2011); among one tenant's jobs the oldest. A large job whose turn it is holds up small ones: letting them pass
// would make it wait for ever on a busy machine. But a tenant that already has much is not in turn, however long its jobs have waited.
type Pool struct {
	budget Budget

	mu      sync.Mutex // guards all below
	free    []int
	left    Need
	usage   map[string]usage // by tenant
	waiting []*waiter        // oldest first
	closed  error            // why everybody is refused; nil while the pool is open
}

// usage is the reservation of all running jobs of one tenant.
type usage struct {
	Need
	slots int
}

// waiter is a job in the queue. granted holds one slot, so that granting never blocks on a waiter that is giving up at that moment.
type waiter struct {
	need    Need
	granted chan int
}

// New returns a Pool with all of b free.
func New(b Budget) *Pool {
	p := &Pool{budget: b, left: Need{Memory: b.Memory, Millicores: b.Millicores, Pids: b.Pids}, usage: map[string]usage{}}
	for n := range b.Slots {
		p.free = append(p.free, b.First+n)
	}
	return p
}

// Budget returns the budget of the pool.
func (p *Pool) Budget() Budget { return p.budget }

// Acquire waits for a slot and for room in the budget, and returns the slot's number. Its errors are *job.Error: EInvalid
// for a job that could never fit, EBusy when the queue is full or the wait too long, ECancelled when ctx ended; or the reason
// that Close was given.
func (p *Pool) Acquire(ctx context.Context, n Need) (int, error) {
	n = p.usable(n)
	if err := p.fits(n); err != nil {
		return 0, err
	}
	w, slot, err := p.enter(n)
	if w == nil {
		return slot, err
	}
	timer := time.NewTimer(p.budget.Wait)
	defer timer.Stop()
	select {
	case slot, ok := <-w.granted:
		if !ok {
			return 0, p.closedFor()
		}
		return slot, nil
	case <-timer.C:
		err = job.Errorf(job.EBusy, "no room for the job within %v: try again later, or give the daemon more slots or budget", p.budget.Wait)
	case <-ctx.Done():
		err = job.Errorf(job.ECancelled, "the job was cancelled while it waited for a slot")
	}
	p.leave(w)
	return 0, err
}

// fits refuses a job that is larger than the whole budget.
func (p *Pool) fits(n Need) error {
	if n.Memory > p.budget.Memory {
		return job.Invalid("run.memoryBytes", "comes to %d for the largest step, this machine gives %d to all jobs together", n.Memory, p.budget.Memory)
	}
	if n.Millicores > p.budget.Millicores {
		return job.Invalid("run.cpuMillicores", "comes to %d for the largest step, this machine gives %d to all jobs together", n.Millicores, p.budget.Millicores)
	}
	if n.Pids > p.budget.Pids {
		return job.Invalid("run.pidsMax", "comes to %d for the largest step, this machine gives %d to all jobs together", n.Pids-1, p.budget.Pids-1)
	}
	return nil
}

// enter takes a slot at once, or joins the queue and returns the waiter.
func (p *Pool) enter(n Need) (*waiter, int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case p.closed != nil:
		return nil, 0, p.closed
	case len(p.waiting) == 0 && p.room(n):
		return nil, p.take(n), nil
	}
	w := &waiter{need: n, granted: make(chan int, 1)}
	p.waiting = append(p.waiting, w)
	p.grant() // w's tenant may be next in turn
	if last := len(p.waiting) - 1; last >= p.budget.Queue && p.waiting[last] == w {
		p.waiting = p.waiting[:last]
		return nil, 0, job.Errorf(job.EBusy, "%d jobs are waiting already: try again later", last)
	}
	return w, 0, nil
}

// leave takes w out of the queue, or gives back the slot that it was granted meanwhile.
func (p *Pool) leave(w *waiter) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if i := slices.Index(p.waiting, w); i >= 0 {
		p.waiting = slices.Delete(p.waiting, i, i+1)
		p.grant() // w may have been the large job that held up the rest
		return
	}
	if slot, ok := <-w.granted; ok {
		p.put(slot, w.need)
	}
}

// Release frees a slot and its reservation. n must be the Need that Acquire had.
func (p *Pool) Release(slot int, n Need) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.put(slot, p.usable(n))
}

// usable is n without CPU rate beyond the machine's: a job that asks for eight cores reserves two where there are two.
func (p *Pool) usable(n Need) Need {
	n.Millicores = min(n.Millicores, p.budget.Machine)
	return n
}

// Close refuses all jobs that wait and all that come later, with the error why. Slots that are in use can still be released.
func (p *Pool) Close(why error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = why
	for _, w := range p.waiting {
		close(w.granted)
	}
	p.waiting = nil
}

// closedFor is the reason that Close was given.
func (p *Pool) closedFor() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.closed
}

// room reports whether n can be reserved now. p.mu must be held, as for all below.
func (p *Pool) room(n Need) bool {
	return len(p.free) > 0 && n.Memory <= p.left.Memory && n.Millicores <= p.left.Millicores && n.Pids <= p.left.Pids
}

// take reserves n and returns a slot. There must be room.
func (p *Pool) take(n Need) int {
	p.account(n, 1)
	slot := p.free[0]
	p.free = p.free[1:]
	return slot
}

// put frees a slot. It goes to the end of the list, so that it rests as long as possible: the kernel clears some of its counters
// by user id late, and the next job must not see them.
func (p *Pool) put(slot int, n Need) {
	p.account(n, -1)
	p.free = append(p.free, slot)
	p.grant()
}

// account books n as reserved, or with sign -1 as given back.
func (p *Pool) account(n Need, sign int) {
	memory, millicores, pids := int64(sign)*n.Memory, int64(sign)*n.Millicores, int64(sign)*n.Pids
	p.left.Memory -= memory
	p.left.Millicores -= millicores
	p.left.Pids -= pids
	u := p.usage[n.Tenant]
	u.Memory += memory
	u.Millicores += millicores
	u.Pids += pids
	u.slots += sign
	if p.usage[n.Tenant] = u; u.slots == 0 {
		delete(p.usage, n.Tenant)
	}
}

// grant gives slots to waiting jobs until the next in turn does not fit.
func (p *Pool) grant() {
	for len(p.waiting) > 0 {
		next := p.nextInTurn()
		w := p.waiting[next]
		if !p.room(w.need) {
			return
		}
		p.waiting = slices.Delete(p.waiting, next, next+1)
		w.granted <- p.take(w.need)
	}
}

// nextInTurn is the index in waiting of the job that is next in turn.
func (p *Pool) nextInTurn() (index int) {
	least := math.Inf(1)
	for i, w := range p.waiting {
		if share := p.dominantShare(w.need.Tenant); share < least {
			index, least = i, share
		}
	}
	return index
}

// dominantShare is a tenant's fraction of the resource of which its running jobs have most.
func (p *Pool) dominantShare(tenant string) float64 {
	u := p.usage[tenant]
	part := func(n, total int64) float64 { return float64(n) / float64(max(total, 1)) }
	return max(part(u.Memory, p.budget.Memory), part(u.Millicores, p.budget.Millicores), part(u.Pids, p.budget.Pids), part(int64(u.slots), int64(p.budget.Slots)))
}

// Busy reports whether at least as many jobs run as the machine has cores.
func (p *Pool) Busy() bool {
	running, _, _ := p.InUse()
	return int64(running)*1000 >= p.budget.Machine
}

// InUse returns how many jobs run and wait, and the total reservation of the running ones.
func (p *Pool) InUse() (running, waiting int, used Need) {
	p.mu.Lock()
	defer p.mu.Unlock()
	used = Need{Memory: p.budget.Memory - p.left.Memory, Millicores: p.budget.Millicores - p.left.Millicores, Pids: p.budget.Pids - p.left.Pids}
	return p.budget.Slots - len(p.free), len(p.waiting), used
}
