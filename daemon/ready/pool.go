// SPDX-License-Identifier: Apache-2.0

package ready

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/rs/zerolog"

	"github.com/ccee-dev/ccee/daemon/plan"
	"github.com/ccee-dev/ccee/nsjail"
)

const (
	keepFor     = time.Minute            // sandboxes of a kind are kept for so long after the last request for one
	evictAfter  = time.Second            // a kind idle this long may be evicted entirely, if another has no sandbox
	retryPause  = time.Second            // after a sandbox could not be made
	warmRetry   = time.Minute            // after a program did not start
	expireEvery = 10 * time.Second       // how often kinds without requests are removed
	busyPause   = 250 * time.Millisecond // until the pool looks again whether the cores are busy
)

// Options configure a Pool.
type Options struct {
	Build     func(context.Context, nsjail.Config) (Jail, error)
	Busy      func() bool // jobs keep all cores busy: making a sandbox would slow them down
	FirstSlot int         // the pool's own slots, which no other sandbox gets
	Slots     int
	Capacity  int   // sandboxes that may wait, of all kinds together; 0: there is no pool
	WarmBytes int64 // memory that the programs in waiting sandboxes may take together; 0: none are started
	Log       zerolog.Logger
}

// Pool makes sandboxes before there are jobs for them. Each is for one job: whoever takes it closes it, and nobody else gets it. A waiting
// sandbox costs a process, its namespaces and its empty tmpfs; a warm one also the many megabytes of its runtime. A nil *Pool is valid and
// always empty.
type Pool struct {
	build     func(context.Context, nsjail.Config) (Jail, error)
	busy      func() bool
	capacity  int
	warmBytes int64
	log       zerolog.Logger
	wake      chan struct{} // there may be something to do
	stop      context.CancelFunc
	tasks     sync.WaitGroup

	mu          sync.Mutex // guards all below
	freeSlots   []int
	kinds       map[string]*kind
	lastFailure string // the logged reason why no sandbox could be made; "" after a success
}

// New starts a Pool. The caller must call Nudge when a job has ended, and Close in the end.
func New(o Options) *Pool {
	if o.Capacity == 0 {
		return nil
	}
	ctx, stop := context.WithCancel(context.Background())
	p := &Pool{
		build: o.Build, busy: o.Busy, capacity: o.Capacity, warmBytes: o.WarmBytes, log: o.Log,
		wake: make(chan struct{}, 1), stop: stop, kinds: map[string]*kind{},
	}
	for n := range o.Slots {
		p.freeSlots = append(p.freeSlots, o.FirstSlot+n)
	}
	p.tasks.Go(func() { p.run(ctx) })
	return p
}

// Request describes the sandbox that a job needs.
type Request struct {
	Config   nsjail.Config   // its ids are ignored
	Program  *nsjail.Process // the program that can be started before the job arrives; nil if there is none
	Tenant   string
	Language string // for CountOf
}

// Take returns a waiting sandbox for req, or nil if there is none; warm reports whether req.Program has been started in it. Either way the
// request counts as demand for more of the kind.
func (p *Pool) Take(req Request) (sb *Sandbox, warm bool) {
	if p == nil {
		return nil, false
	}
	if p.warmBytes == 0 {
		req.Program = nil
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	k := p.request(req.Config, req.Program, req.Tenant)
	sb = p.pop(k)
	if sb == nil && !p.canGrow(k) { // there will be no warm one soon, so a cold one has to do
		k = p.request(req.Config, nil, req.Tenant)
		sb = p.pop(k)
	}
	k.language = req.Language
	p.Nudge()
	return sb, sb != nil && k.warm()
}

// Nudge has the pool check whether there is something to do. It does not wait.
func (p *Pool) Nudge() {
	if p == nil {
		return
	}
	select {
	case p.wake <- struct{}{}:
	default:
	}
}

// run makes sandboxes and closes expired ones until ctx ends.
func (p *Pool) run(ctx context.Context) {
	expiry := time.NewTicker(expireEvery)
	defer expiry.Stop()
	for {
		var again <-chan time.Time // jobs may become idle without any of them ending
		for ctx.Err() == nil {
			if p.busy() {
				again = time.After(busyPause)
				break
			}
			k, slot := p.next()
			if k == nil {
				break
			}
			p.tasks.Go(func() { p.add(ctx, k, slot) })
		}
		select {
		case <-ctx.Done():
			return
		case <-again:
		case <-p.wake:
		case <-expiry.C:
			p.expire(time.Now().Add(-keepFor))
		}
	}
}

// next picks the kind to make a sandbox for and reserves a slot for it; pass both to add. If the pool is full it evicts a sandbox of
// another kind and takes over its slot. The kind is nil if no sandbox should be made now.
func (p *Pool) next() (*kind, int) {
	p.mu.Lock()
	shares := p.shares()
	k := shares.neediest()
	if k == nil {
		p.mu.Unlock()
		return nil, 0
	}
	k.making = true
	if p.size() <= p.capacity && len(p.freeSlots) > 0 {
		defer p.mu.Unlock()
		slot := p.freeSlots[0]
		p.freeSlots = p.freeSlots[1:]
		return k, slot
	}
	victim := shares.victim()
	if !shares.mayEvict(victim, k) {
		defer p.mu.Unlock()
		k.making = false
		return nil, 0
	}
	evicted := victim.waiting[0]
	victim.waiting = victim.waiting[1:]
	p.mu.Unlock()
	if err := evicted.Jail.Close(); err != nil {
		p.logNotClosed(evicted, err)
		p.mu.Lock()
		defer p.mu.Unlock()
		k.making = false
		return nil, 0
	}
	return k, evicted.slot
}

// add makes a sandbox of k in slot, as next picked them.
func (p *Pool) add(ctx context.Context, k *kind, slot int) {
	sb, bytes, err := p.makeOne(ctx, k, slot)
	if err != nil && ctx.Err() == nil {
		p.logFailure(err)
		select {
		case <-ctx.Done():
		case <-time.After(retryPause):
		}
	}
	p.mu.Lock()
	k.making = false
	k.programBytes = max(k.programBytes, bytes)
	if sb != nil {
		p.lastFailure = ""
	}
	unwanted := sb != nil && (!p.registered(k) || !p.canGrow(k)) // its kind has expired, or its program takes too much memory
	if sb != nil && !unwanted {
		k.waiting = append(k.waiting, sb)
	}
	p.mu.Unlock()
	if unwanted {
		p.discard(sb)
	}
	p.Nudge()
}

// makeOne makes a sandbox of k and starts its program, of which it returns how many bytes of memory it takes.
func (p *Pool) makeOne(ctx context.Context, k *kind, slot int) (_ *Sandbox, programBytes int64, err error) {
	sb := &Sandbox{pool: p, slot: slot}
	if sb.Jail, err = p.build(ctx, plan.WithIDs(k.cfg, slot)); err != nil {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.freeSlots = append(p.freeSlots, slot)
		return nil, 0, err
	}
	err = sb.Ready()
	if err == nil && k.warm() {
		if programBytes, err = start(ctx, sb, *k.program); err != nil {
			p.mu.Lock()
			k.retryAt = time.Now().Add(warmRetry)
			p.mu.Unlock()
		}
	}
	if err != nil {
		p.discard(sb)
		return nil, programBytes, err
	}
	return sb, programBytes, nil
}

// start starts a program in sb, waits until it pauses, and returns how many bytes of memory it took.
func start(ctx context.Context, sb *Sandbox, program nsjail.Process) (int64, error) {
	r, err := sb.Run(ctx, program)
	switch {
	case err != nil:
		return 0, fmt.Errorf("start %s warm: %w", program.Args[0], err)
	case r.Verdict != nsjail.Paused:
		return 0, fmt.Errorf("start %s warm: it did not pause: %s, exit code %d, %v; it wrote %.300q and %.300q",
			program.Args[0], plan.Verdict(r.Verdict), r.ExitCode, r.Err, r.Stdout.Data, r.Stderr.Data)
	}
	return r.Usage.MemoryPeak, nil
}

// discard closes a sandbox that nobody needs. p.mu must not be held.
func (p *Pool) discard(sb *Sandbox) {
	if err := sb.Close(); err != nil {
		p.logNotClosed(sb, err)
	}
}

func (p *Pool) logNotClosed(sb *Sandbox, err error) {
	p.log.Error().Err(err).Int("slot", sb.slot).Msg("sandbox not torn down: its ids are not used again")
}

// logFailure logs why no sandbox can be made, once per reason: the pool tries again each second.
func (p *Pool) logFailure(err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.lastFailure != err.Error() {
		p.lastFailure = err.Error()
		p.log.Warn().Err(err).Msg("no sandbox can be prewarmed; trying again")
	}
}

// expire removes the kinds whose last request came before that time, and closes their sandboxes.
func (p *Pool) expire(before time.Time) {
	p.mu.Lock()
	var expired []*Sandbox
	for key, k := range p.kinds {
		if k.lastRequest().Before(before) {
			expired = append(expired, k.waiting...)
			delete(p.kinds, key)
		}
	}
	p.mu.Unlock()
	for _, sb := range expired {
		p.discard(sb)
	}
}

// Close ends the pool and closes the waiting sandboxes. Take must not be called after it.
func (p *Pool) Close() {
	if p == nil {
		return
	}
	p.stop()
	p.tasks.Wait()
	p.expire(time.Now().Add(keepFor))
}
