// SPDX-License-Identifier: Apache-2.0

package ready

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ccee-dev/ccee/nsjail"
)

// A tenant that again and again requests more kinds than can wait does not take the sandbox that is kept for another tenant.
func TestSharesOfTenants(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var m maker
		p := m.pool(20, 4, 0)
		defer p.Close()
		as := func(tenant string, req Request) Request { req.Tenant = tenant; return req }
		take(p, as("victim", of("/victim")))
		synctest.Wait()
		found := 0
		for range 10 {
			for range 3 { // the victim has a job each four seconds
				time.Sleep(evictAfter + evictAfter/3)
				for kind := range 8 {
					if sb := take(p, as("attacker", of(fmt.Sprint("/attacker/", kind)))); sb != nil {
						sb.Close()
					}
					synctest.Wait()
				}
			}
			if sb := take(p, as("victim", of("/victim"))); sb != nil {
				found++
				sb.Close()
			}
			synctest.Wait()
			if p.Count() > 4 {
				t.Errorf("%d wait, more than the capacity", p.Count())
			}
		}
		if found != 10 {
			t.Errorf("the victim found a sandbox %d of 10 times", found)
		}
	})
}

// Each tenant has the same share, and each kind the same part of its tenant's.
func TestShares(t *testing.T) {
	p := &Pool{capacity: 12, kinds: map[string]*kind{}}
	for tenant, kinds := range map[string][]string{"a": {"/1"}, "b": {"/1", "/2"}, "c": {"/3", "/4", "/5"}} {
		for _, root := range kinds {
			p.request(nsjail.Config{Root: root}, nil, tenant)
		}
	}
	shares := p.shares()
	for _, k := range p.kinds {
		want := map[string]int{"/1": 6, "/2": 2, "/3": 1, "/4": 1, "/5": 1}[k.cfg.Root]
		if got := shares.guaranteed(k); got != want {
			t.Errorf("%s: %d are guaranteed, want %d", k.cfg.Root, got, want)
		}
	}
}

// A tenant without a request for a minute has no share any more.
func TestSharesExpire(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &Pool{capacity: 12, kinds: map[string]*kind{}}
		old := p.request(nsjail.Config{Root: "/old"}, nil, "old")
		time.Sleep(keepFor)
		recent := p.request(nsjail.Config{Root: "/new"}, nil, "new")
		if s := p.shares(); s.guaranteed(old) != 6 || s.guaranteed(recent) != 6 {
			t.Errorf("after a minute %d and %d are guaranteed, want 6 each", s.guaranteed(old), s.guaranteed(recent))
		}
		time.Sleep(time.Nanosecond)
		if s := p.shares(); s.guaranteed(old) != 0 || s.guaranteed(recent) != 12 {
			t.Errorf("after more than a minute %d and %d are guaranteed, want 0 and 12", s.guaranteed(old), s.guaranteed(recent))
		}
	})
}

// TestEviction: which kind loses a sandbox to which, when the pool is full.
func TestEviction(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		type has struct {
			waiting int
			share   float64
			idle    time.Duration // since its last request
			warm    int           // requests of a kind with a program; 0: it has none
		}
		for _, tt := range []struct {
			name      string
			victim, k has
			want      bool
		}{
			{"above its target", has{waiting: 3, share: 2}, has{share: 2}, true},
			{"at its target and guarantee", has{waiting: 2, share: 2, idle: time.Hour}, has{share: 2}, false},
			{"warm, more than were requested", has{waiting: 2, share: 4, warm: 1}, has{waiting: 1, share: 4}, true},
			{"not guaranteed, to one below its guarantee", has{waiting: 1, share: 0.5}, has{waiting: 1, share: 2}, true},
			{"guaranteed, to one below its guarantee", has{waiting: 1, share: 1, idle: time.Hour}, has{waiting: 1, share: 2}, false},
			{"not guaranteed and idle, to one without any", has{waiting: 1, share: 0.5, idle: evictAfter}, has{share: 0.5}, true},
			{"not idle for long enough", has{waiting: 1, share: 0.5, idle: evictAfter - 1}, has{share: 0.5}, false},
			{"idle no longer than the other", has{waiting: 1, share: 0.5, idle: evictAfter}, has{share: 0.5, idle: evictAfter}, false},
			{"idle, to one that has some", has{waiting: 1, share: 0.5, idle: evictAfter}, has{waiting: 1, share: 0.5}, false},
		} {
			p := &Pool{capacity: 8}
			s := shares{p, map[*kind]float64{}}
			of := func(h has) *kind {
				k := &kind{waiting: make([]*Sandbox, h.waiting), requests: []time.Time{time.Now().Add(-h.idle)}}
				if h.warm > 0 {
					k.program = program
				}
				s.of[k] = h.share
				return k
			}
			if got := s.mayEvict(of(tt.victim), of(tt.k)); got != tt.want {
				t.Errorf("%s: %v, want %v", tt.name, got, tt.want)
			}
		}
		if (shares{}).mayEvict(nil, &kind{}) {
			t.Error("there is nothing to evict")
		}
	})
}

// TestNeediestAndVictim: the kind with the fewest sandboxes is next, the one with the largest excess loses one; of equals it is the one
// with the latest and with the oldest request.
func TestNeediestAndVictim(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &Pool{capacity: 8, kinds: map[string]*kind{}}
		s := shares{p, map[*kind]float64{}}
		for i, h := range []struct {
			name    string
			waiting int
			share   float64
			making  bool
		}{
			{"full", 2, 2, false}, {"over", 3, 1, false}, {"over, newer", 3, 1, false}, {"making", 0, 2, true},
			{"one", 1, 3, false}, {"none", 0, 1, false}, {"none, newer", 0, 1, false}, {"none, without a guarantee", 0, 0.5, false},
		} {
			k := &kind{waiting: make([]*Sandbox, h.waiting), making: h.making, requests: []time.Time{time.Now().Add(time.Duration(i))}}
			k.cfg.Root = h.name
			p.kinds[h.name] = k
			s.of[k] = h.share
		}
		for _, want := range []string{"none, newer", "none", "one"} {
			got := s.neediest()
			if got == nil || got.cfg.Root != want {
				t.Fatalf("neediest is %+v, want %q", got, want)
			}
			got.making = true
		}
		for _, want := range []string{"over", "over, newer"} {
			got := s.victim()
			if got.cfg.Root != want {
				t.Fatalf("victim is %q, want %q", got.cfg.Root, want)
			}
			got.waiting = got.waiting[2:]
		}
		for _, k := range p.kinds {
			k.waiting = nil
		}
		if got := s.victim(); got != nil {
			t.Errorf("victim is %q, though none waits", got.cfg.Root)
		}
	})
}
