// SPDX-License-Identifier: Apache-2.0

package ready

import (
	"cmp"
	"time"
)

// shares divides the capacity of a pool among its kinds, at one moment.
type shares struct {
	pool *Pool
	of   map[*kind]float64
}

// shares gives each tenant with a request in the last minute the same share of the capacity, and each kind that a tenant requested the same
// part of the tenant's share. So a tenant that requests many kinds takes nothing from the others. p.mu must be held, as for all below.
func (p *Pool) shares() shares {
	since, kinds := time.Now().Add(-keepFor), map[string]int{} // kinds by tenant
	for _, k := range p.kinds {
		for tenant, last := range k.tenants {
			if last.Before(since) {
				delete(k.tenants, tenant)
			} else {
				kinds[tenant]++
			}
		}
	}
	s := shares{p, map[*kind]float64{}}
	for _, k := range p.kinds {
		for tenant := range k.tenants {
			s.of[k] += float64(p.capacity) / float64(len(kinds)*kinds[tenant])
		}
	}
	return s
}

// whole is k's share in whole sandboxes. Thirds are not exact in floating point, so a share that is just below a whole number is rounded
// up.
func (s shares) whole(k *kind) int { return int(s.of[k] + 1e-9) }

// target is how many sandboxes k should have: its share, but at least one. Of a warm kind no more than there were requests in the last
// minute, since a warm sandbox takes many times as much memory.
func (s shares) target(k *kind) int {
	target := max(1, s.whole(k))
	if k.warm() {
		target = min(target, k.requestsSince(time.Now().Add(-keepFor)))
	}
	return target
}

// guaranteed is how many sandboxes of k are never evicted in favour of other kinds.
func (s shares) guaranteed(k *kind) int { return min(s.whole(k), s.target(k)) }

// excess is how many sandboxes k has beyond its guarantee.
func (s shares) excess(k *kind) int { return max(0, len(k.waiting)-s.guaranteed(k)) }

// belowGuarantee reports whether k has fewer sandboxes than are guaranteed to it.
func (s shares) belowGuarantee(k *kind) bool { return len(k.waiting) < s.guaranteed(k) }

// neediest is the kind to make the next sandbox for: of those that are below their target and can grow, one that is below its guarantee,
// then the one with the fewest sandboxes, then the one with the latest request. It is nil if all have enough.
func (s shares) neediest() (neediest *kind) {
	before := func(a, b *kind) bool {
		if below := s.belowGuarantee(a); below != s.belowGuarantee(b) {
			return below
		}
		return cmp.Or(cmp.Compare(len(a.waiting), len(b.waiting)), b.lastRequest().Compare(a.lastRequest())) < 0
	}
	for _, k := range s.pool.kinds {
		if !k.making && len(k.waiting) < s.target(k) && s.pool.canGrow(k) && (neediest == nil || before(k, neediest)) {
			neediest = k
		}
	}
	return neediest
}

// victim is the kind to evict a sandbox from: the one with the largest excess, of several the one whose last request is oldest. It is nil
// if no sandbox waits.
func (s shares) victim() (victim *kind) {
	for _, k := range s.pool.kinds {
		if len(k.waiting) == 0 {
			continue
		}
		if victim == nil || cmp.Or(cmp.Compare(s.excess(victim), s.excess(k)), k.lastRequest().Compare(victim.lastRequest())) < 0 {
			victim = k
		}
	}
	return victim
}

// mayEvict reports whether a sandbox of victim may be closed to make one of k instead: if victim is above its target; if k is below its
// guarantee and victim above its own; or if k has none, victim has an excess, and its last request is evictAfter ago and older than k's.
func (s shares) mayEvict(victim, k *kind) bool {
	if victim == nil {
		return false
	}
	if len(victim.waiting) > s.target(victim) {
		return true
	}
	if s.excess(victim) == 0 {
		return false
	}
	idle := time.Since(victim.lastRequest()) >= evictAfter && victim.lastRequest().Before(k.lastRequest())
	return s.belowGuarantee(k) || len(k.waiting) == 0 && idle
}
