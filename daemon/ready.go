package daemon

import (
	"context"
	"sync"
	"time"

	"github.com/rs/zerolog"

	"github.com/ccee-dev/ccee/job"
	"github.com/ccee-dev/ccee/nsjail"
)

const (
	readyFor   = time.Minute      // that sandboxes are kept ready for a kind of jobs after the last one of it
	readyTurn  = time.Second      // after the last wish for it, a kind may lose its last one to another
	readyPause = time.Second      // after one could not be made
	readyLook  = 10 * time.Second // how often it is looked for those that nobody needs any more
)

// ready keeps sandboxes that are set up and wait for a program. Each is for one job, as any other: who takes one closes it, and nobody
// else gets it. They are made while there are cores to spare, one of a kind at a time, for the kinds of jobs that there were of late; where
// there is none, one is made at once. One that waits is a process, its namespaces and its empty tmpfs, and with a runtime that waits in it as
// many megabytes as that takes; of these there are no more than there were jobs in the last minute.
type ready struct {
	build func(context.Context, nsjail.Config) (sandbox, error)
	busy  func() bool // the cores have better to do: what is made ahead then only keeps jobs waiting
	most  int         // of all kinds together that wait
	warm  int64       // bytes for programs that are started in them, all together; 0: none is
	log   zerolog.Logger
	wake  chan struct{}
	stop  context.CancelFunc
	over  sync.WaitGroup

	mu    sync.Mutex // guards all below
	free  []int      // slot numbers of its own, for those that wait and those that were taken: those of other jobs are others
	kinds map[string]*readyKind
	said  string // why none could be made, when that was last logged; "" once one was
}

// newReady starts a pool of that size, with so many slot numbers from first on; nil for none. Whoever knows that it is not busy any more nudges it.
func newReady(build func(context.Context, nsjail.Config) (sandbox, error), busy func() bool, first, numbers, most int, warm int64, log zerolog.Logger) *ready {
	if most == 0 {
		return nil
	}
	ctx, stop := context.WithCancel(context.Background())
	r := &ready{build: build, busy: busy, most: most, warm: warm, log: log, wake: make(chan struct{}, 1), stop: stop, kinds: map[string]*readyKind{}}
	for n := range numbers {
		r.free = append(r.free, first+n)
	}
	r.over.Go(func() { r.run(ctx) })
	return r
}

// take returns a sandbox for p on root that is ready, or nil; warm says that the program is started in it.
func (r *ready) take(p plan, root string, f filter) (sb sandbox, warm bool) {
	if r == nil || !p.usual() {
		return nil, false
	}
	cfg := p.config(root, 0)
	var program *nsjail.Process
	if r.warm > 0 {
		program = p.warm(f)
	}
	cfg.Resources = resources(job.DefaultRun) // until there is a job, which has its own
	r.mu.Lock()
	defer r.mu.Unlock()
	k := r.want(cfg, program, p.tenant)
	one := r.pop(k)
	if one == nil && !r.can(k) {
		k = r.want(cfg, nil, p.tenant)
		one = r.pop(k)
	}
	r.nudge()
	if one == nil {
		return nil, false
	}
	return one, k.warm != nil
}

// nudge has run look what is to do.
func (r *ready) nudge() {
	if r == nil {
		return
	}
	select {
	case r.wake <- struct{}{}:
	default:
	}
}

// run makes and unmakes sandboxes until ctx ends.
func (r *ready) run(ctx context.Context) {
	look := time.NewTicker(readyLook)
	defer look.Stop()
	for {
		for ctx.Err() == nil && !r.busy() {
			k, slot := r.next()
			if k == nil {
				break
			}
			r.over.Go(func() { r.make(ctx, k, slot) })
		}
		select {
		case <-ctx.Done():
			return
		case <-r.wake:
		case <-look.C:
			r.expire(time.Now().Add(-readyFor))
		}
	}
}

// failed logs why no sandbox can be made ahead, unless it was said already: it is tried again each second.
func (r *ready) failed(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.said != err.Error() {
		r.said = err.Error()
		r.log.Warn().Err(err).Msg("no sandbox can be made ahead; trying again")
	}
}

// make makes a sandbox of k, which next returned.
func (r *ready) make(ctx context.Context, k *readyKind, slot int) {
	one, bytes, err := r.makeOne(ctx, k, slot)
	if err != nil && ctx.Err() == nil {
		r.failed(err)
		select {
		case <-ctx.Done():
		case <-time.After(readyPause):
		}
	}
	r.mu.Lock()
	k.making = false
	k.bytes = max(k.bytes, bytes)
	if one != nil {
		r.said = ""
	}
	gone := one != nil && (!r.has(k) || !r.can(k)) // nobody wants the kind any more, or it has turned out too large
	if one != nil && !gone {
		k.list = append(k.list, one)
	}
	r.mu.Unlock()
	if gone {
		r.discard(one)
	}
	r.nudge()
}

// makeOne returns a sandbox of k, and how many bytes the program takes that was started in it.
func (r *ready) makeOne(ctx context.Context, k *readyKind, slot int) (one *readyOne, bytes int64, err error) {
	cfg := k.cfg
	cfg.UIDMappings = idMap(slot)
	cfg.GIDMappings = cfg.UIDMappings
	one = &readyOne{pool: r, slot: slot}
	if one.sandbox, err = r.build(ctx, cfg); err != nil {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.free = append(r.free, slot)
		return nil, 0, err
	}
	err = one.Ready()
	if err == nil && k.warm != nil {
		if bytes, err = start(ctx, one, *k.warm); err != nil {
			r.mu.Lock()
			k.cold = time.Now().Add(warmRetry)
			r.mu.Unlock()
		}
	}
	if err != nil {
		r.discard(one)
		return nil, bytes, err
	}
	return one, bytes, nil
}

// discard closes a sandbox that is not needed. No lock may be held.
func (r *ready) discard(one *readyOne) {
	if err := one.Close(); err != nil {
		r.log.Error().Err(err).Int("slot", one.slot).Msg("sandbox not torn down: its ids are not used again")
	}
}

// next returns the kind that has the fewest of those that have too few, with a number for one more, which make must be called with. When as many
// wait as may, a kind loses one that has more than its part, or one that it isn't sure of to a kind that is sure of it, or the last one if nobody
// wanted it of late.
func (r *ready) next() (*readyKind, int) {
	r.mu.Lock()
	shares := r.shares()
	least, victim := r.extremes(shares)
	if least == nil {
		r.mu.Unlock()
		return nil, 0
	}
	least.making = true
	if r.waiting() <= r.most && len(r.free) > 0 {
		defer r.mu.Unlock()
		slot := r.free[0]
		r.free = r.free[1:]
		return least, slot
	}
	over := victim != nil && len(victim.list) > r.part(victim, shares)
	more := victim != nil && len(victim.list) > r.sure(victim, shares)
	owed := more && len(least.list) < r.sure(least, shares)
	turn := more && len(least.list) == 0 && time.Since(victim.last()) >= readyTurn && victim.last().Before(least.last())
	if !over && !owed && !turn {
		defer r.mu.Unlock()
		least.making = false
		return nil, 0
	}
	one := victim.list[0]
	victim.list = victim.list[1:]
	r.mu.Unlock()
	if err := one.sandbox.Close(); err != nil {
		r.log.Error().Err(err).Int("slot", one.slot).Msg("sandbox not torn down: its ids are not used again")
		r.mu.Lock()
		defer r.mu.Unlock()
		least.making = false
		return nil, 0
	}
	return least, one.slot
}

// expire closes the sandboxes of the kinds that were last wanted before that time.
func (r *ready) expire(before time.Time) {
	r.mu.Lock()
	var old []*readyOne
	for key, k := range r.kinds {
		if k.last().Before(before) {
			old = append(old, k.list...)
			delete(r.kinds, key)
		}
	}
	r.mu.Unlock()
	for _, one := range old {
		r.discard(one)
	}
}

// count is how many are ready.
func (r *ready) count() (n int) {
	if r == nil {
		return 0
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, k := range r.kinds {
		n += len(k.list)
	}
	return n
}

// close ends the pool and closes what is ready. No take may come after it.
func (r *ready) close() {
	if r == nil {
		return
	}
	r.stop()
	r.over.Wait()
	r.expire(time.Now().Add(readyFor))
}

// usual reports whether the sandbox of p is as the language has it: only such ones are made ahead, so the kinds are few, whatever
// jobs ask for.
func (p plan) usual() bool {
	for _, s := range p.steps {
		def := job.Limits{}.Effective(p.lang.DefaultRun, job.DefaultRun)
		if s.name == "compile" {
			def = job.Limits{}.Effective(p.lang.DefaultCompile, job.DefaultCompile)
		}
		l := s.limits
		if l.TmpBytes != def.TmpBytes || l.TmpInodes != def.TmpInodes || l.WorkspaceBytes != def.WorkspaceBytes || l.WorkspaceInodes != def.WorkspaceInodes {
			return false
		}
	}
	return true
}
