package daemon

import (
	"fmt"
	"slices"
	"time"

	"ccee/nsjail"
)

// readyKind are the sandboxes for one kind of jobs.
type readyKind struct {
	cfg   nsjail.Config   // without ids
	warm  *nsjail.Process // that is started in them; nil for none
	bytes int64           // of memory that it takes
	cold  time.Time       // until then it is not tried again, because it did not start
	wants []time.Time     // that one was wanted: the last of them, as many as there can be sandboxes
	list  []*readyOne

	making bool // one more
}

// want returns the kind for that sandbox with that program, which somebody wants. r.mu must be held.
func (r *ready) want(cfg nsjail.Config, program *nsjail.Process) *readyKind {
	key := fmt.Sprint(cfg.Root, cfg.Mounts, cfg.OpenDir, cfg.Loopback)
	if program != nil {
		key += fmt.Sprint(program.Args, program.Env, program.Rlimits, program.Resources)
	}
	k := r.kinds[key]
	if k == nil {
		k = &readyKind{cfg: cfg, warm: program}
		r.kinds[key] = k
	}
	if len(k.wants) == r.most {
		k.wants = k.wants[1:]
	}
	k.wants = append(k.wants, time.Now())
	return k
}

// last is when one was wanted last.
func (k *readyKind) last() time.Time { return k.wants[len(k.wants)-1] }

// part is how many of k should wait: the same of each kind, but with a runtime no more than there were wishes of late, because one costs many times
// as much. r.mu must be held.
func (r *ready) part(k *readyKind) int {
	part := max(1, r.most/len(r.kinds))
	if k.warm != nil {
		since := time.Now().Add(-readyFor)
		old := slices.IndexFunc(k.wants, since.Before) // of them, that are too old
		if old < 0 {
			old = len(k.wants)
		}
		part = min(part, len(k.wants)-old)
	}
	return part
}

// waiting is how many wait, or will soon. r.mu must be held.
func (r *ready) waiting() (n int) {
	for _, k := range r.kinds {
		if n += len(k.list); k.making {
			n++
		}
	}
	return n
}

// pop returns one of k that lives, or nil. r.mu must be held.
func (r *ready) pop(k *readyKind) *readyOne {
	for len(k.list) > 0 {
		one := k.list[len(k.list)-1]
		k.list = k.list[:len(k.list)-1]
		if one.Alive() {
			return one
		}
		r.over.Go(func() { one.Close() })
	}
	return nil
}

// has reports whether the kind is still wanted. r.mu must be held.
func (r *ready) has(k *readyKind) bool {
	for _, other := range r.kinds {
		if other == k {
			return true
		}
	}
	return false
}

// can reports whether there can be one more of k: what is started in it starts, and there is memory for it. r.mu must be held.
func (r *ready) can(k *readyKind) bool {
	all := k.bytes
	for _, other := range r.kinds {
		all += other.bytes * int64(len(other.list))
	}
	return k.warm == nil || all <= r.warm && time.Now().After(k.cold)
}

// extremes returns the kind with the fewest of those that should and can have more, of several the one that was wanted last; and the one
// that has the most beyond its part, of several the one that was wanted longest ago; each nil if there is none. r.mu must be held.
func (r *ready) extremes() (least, victim *readyKind) {
	beyond := -1
	for _, k := range r.kinds {
		n, part := len(k.list), r.part(k)
		if !k.making && n < part && r.can(k) && (least == nil || n < len(least.list) || n == len(least.list) && k.last().After(least.last())) {
			least = k
		}
		if more := max(0, n-part); n > 0 && (more > beyond || more == beyond && k.last().Before(victim.last())) {
			victim, beyond = k, more
		}
	}
	return least, victim
}
