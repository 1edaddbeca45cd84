package daemon

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/ccee-dev/ccee/nsjail"
)

// readyKind are the sandboxes for one kind of jobs.
type readyKind struct {
	cfg   nsjail.Config   // without ids
	warm  *nsjail.Process // that is started in them; nil for none
	bytes int64           // of memory that it takes
	cold  time.Time       // until then it is not tried again, because it did not start
	wants []time.Time     // that one was wanted: the last of them, as many as there can be sandboxes
	list  []*readyOne

	tenants map[string]time.Time // whose jobs wanted one, and when last

	making bool // one more
}

// want returns the kind for that sandbox with that program, which a job of that tenant wants. r.mu must be held.
func (r *ready) want(cfg nsjail.Config, program *nsjail.Process, tenant string) *readyKind {
	key := fmt.Sprint(cfg.Root, cfg.Mounts, cfg.OpenDir, cfg.Loopback)
	if program != nil {
		key += fmt.Sprint(program.Args, program.Env, program.Rlimits, program.Resources)
	}
	k := r.kinds[key]
	if k == nil {
		k = &readyKind{cfg: cfg, warm: program, tenants: map[string]time.Time{}}
		r.kinds[key] = k
	}
	if len(k.wants) == r.most {
		k.wants = k.wants[1:]
	}
	k.wants = append(k.wants, time.Now())
	k.tenants[tenant] = k.last()
	return k
}

// last is when one was wanted last.
func (k *readyKind) last() time.Time { return k.wants[len(k.wants)-1] }

// shares is how many of all that may wait each kind is worth: the same for each tenant that had jobs of late, and of a tenant's the same for each
// kind that it wanted. So whoever wants many kinds takes nothing from others. r.mu must be held.
func (r *ready) shares() map[*readyKind]float64 {
	since, kinds := time.Now().Add(-readyFor), map[string]int{}
	for _, k := range r.kinds {
		for tenant, last := range k.tenants {
			if last.Before(since) {
				delete(k.tenants, tenant)
			} else {
				kinds[tenant]++
			}
		}
	}
	shares := map[*readyKind]float64{}
	for _, k := range r.kinds {
		for tenant := range k.tenants {
			shares[k] += float64(r.most) / float64(len(kinds)*kinds[tenant])
		}
	}
	return shares
}

// sure is how many of k nobody else's wishes take away. r.mu must be held.
func (r *ready) sure(k *readyKind, shares map[*readyKind]float64) int {
	return min(int(shares[k]+1e-9), r.part(k, shares)) // thirds don't add up
}

// part is how many of k should wait: its share, but with a runtime no more than there were wishes of late, because one costs many times
// as much. r.mu must be held.
func (r *ready) part(k *readyKind, shares map[*readyKind]float64) int {
	part := max(1, int(shares[k]+1e-9))
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

// extremes returns the kind with the fewest of those that should and can have more, of several the one that was wanted last; those that have fewer
// than they are sure of come first. And the one that has the most beyond what it is sure of, of several the one that was wanted longest ago. Each is
// nil if there is none. r.mu must be held.
func (r *ready) extremes(shares map[*readyKind]float64) (least, victim *readyKind) {
	beyond := -1
	before := func(a, b *readyKind) bool {
		if owed := len(a.list) < r.sure(a, shares); owed != (len(b.list) < r.sure(b, shares)) {
			return owed
		}
		return cmp.Or(cmp.Compare(len(a.list), len(b.list)), b.last().Compare(a.last())) < 0
	}
	for _, k := range r.kinds {
		n := len(k.list)
		if !k.making && n < r.part(k, shares) && r.can(k) && (least == nil || before(k, least)) {
			least = k
		}
		if more := max(0, n-r.sure(k, shares)); n > 0 && (more > beyond || more == beyond && k.last().Before(victim.last())) {
			victim, beyond = k, more
		}
	}
	return least, victim
}
