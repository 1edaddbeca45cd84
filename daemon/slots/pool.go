// SPDX-License-Identifier: Apache-2.0

package slots

import (
	"context"
	"math"
	"slices"
	"sync"
	"time"

	"github.com/ccee-dev/ccee/job"
	"github.com/ccee-dev/ccee/share"
)

// Pool admits jobs. A tenant may reserve a part of what the others leave of each resource, or have one job of any size: so there is room
// for the next tenant at once, also beside one whose jobs reserve much and sleep. Of those who may have more, next in turn is the tenant
// whose running jobs have the smallest share, by the resource of which they have most (Ghodsi et al., Dominant Resource Fairness, 2011);
// among one tenant's jobs the oldest. A large job whose turn it is holds up small ones: letting them pass would make it wait for ever on a
// busy machine. But a tenant that already has much is not in turn, however long its jobs have waited.
type Pool struct {
	budget Budget

	mu      sync.Mutex // guards all below
	free    []int
	usage   [resources]*share.Table
	waiting []*waiter // oldest first
	closed  error     // why everybody is refused; nil while the pool is open
}

// waiter is a job in the queue. granted holds one slot, so that granting never blocks on a waiter that is giving up at that moment.
type waiter struct {
	need    Need
	granted chan int
}

// New returns a Pool with all of b free.
func New(b Budget) *Pool {
	p := &Pool{budget: b}
	for i, all := range b.amounts() {
		p.usage[i] = share.New(all, b.Share)
	}
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
	case len(p.waiting) == 0 && p.mayHave(n) && p.room(n):
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

// Release gives back what Acquire reserved. n must be the Need that Acquire had, or the last Shrink.
func (p *Pool) Release(slot int, n Need) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.put(slot, p.usable(n))
}

// Shrink gives back what a job does not need any more of what it reserved: to is no larger than from, and is what Release gets in the end.
func (p *Pool) Shrink(from, to Need) {
	from, to = p.usable(from), p.usable(to)
	if from == to {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for i, amount := range from.amounts() {
		p.usage[i].Add(from.Tenant, to.amounts()[i]-amount)
	}
	p.grant()
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

// grant gives slots to waiting jobs until the next in turn does not fit, or none may have more.
func (p *Pool) grant() {
	for {
		next := p.nextInTurn()
		if next < 0 || !p.room(p.waiting[next].need) {
			return
		}
		w := p.waiting[next]
		p.waiting = slices.Delete(p.waiting, next, next+1)
		w.granted <- p.take(w.need)
	}
}

// nextInTurn is the index in waiting of the job that is next in turn, -1 if there is none that its tenant may have now. A tenant's younger
// jobs don't overtake its oldest one: that would have to wait for as long as they come.
func (p *Pool) nextInTurn() (index int) {
	index = -1
	least := math.Inf(1)
	seen := map[string]bool{}
	for i, w := range p.waiting {
		tenant := w.need.Tenant
		if seen[tenant] {
			continue
		}
		seen[tenant] = true
		if share := p.dominantShare(tenant); share < least && p.mayHave(w.need) {
			index, least = i, share
		}
	}
	return index
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
	used = Need{Memory: p.usage[memory].All(), Millicores: p.usage[millicores].All(), Pids: p.usage[pids].All()}
	return int(p.usage[slots].All()), len(p.waiting), used
}
