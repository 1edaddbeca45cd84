package daemon

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rs/zerolog"

	"github.com/ccee-dev/ccee/job"
)

// A tenant that wants more kinds of sandboxes than can wait, again and again, doesn't take from another the one that is made ahead for it.
func TestReadyOfTenants(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var m maker
		r := newReady(m.build, m.isBusy, 100, 20, 4, 0, zerolog.Nop())
		defer r.close()
		of := func(tenant string) plan { return planOf(t, func(s *job.Spec) { s.Tenant = tenant }) }
		victim, attacker := of("victim"), of("attacker")
		take(r, victim, "/victim")
		synctest.Wait()
		found := 0
		for range 10 {
			for range 3 { // the victim has a job each four seconds
				time.Sleep(readyTurn + readyTurn/3)
				for kind := range 8 {
					if sb := take(r, attacker, fmt.Sprint("/attacker/", kind)); sb != nil {
						sb.Close()
					}
					synctest.Wait()
				}
			}
			if sb := take(r, victim, "/victim"); sb != nil {
				found++
				sb.Close()
			}
			synctest.Wait()
			if r.count() > 5 {
				t.Errorf("%d wait, more than may", r.count())
			}
		}
		if found != 10 {
			t.Errorf("the victim found %d of 10 ready", found)
		}
	})
}

// Each tenant is worth the same, and each kind of one tenant.
func TestReadySharesOfTenants(t *testing.T) {
	r := &ready{most: 12, kinds: map[string]*readyKind{}}
	for tenant, kinds := range map[string][]string{"a": {"/1"}, "b": {"/1", "/2"}, "c": {"/3", "/4", "/5"}} {
		for _, root := range kinds {
			r.want(planOf(t, nil).config(root, 0), nil, tenant)
		}
	}
	shares := r.shares()
	for _, k := range r.kinds {
		want := map[string]int{"/1": 6, "/2": 2, "/3": 1, "/4": 1, "/5": 1}[k.cfg.Root]
		if got := r.sure(k, shares); got != want {
			t.Errorf("%s: sure of %d, want %d", k.cfg.Root, got, want)
		}
	}
}

// The number of a sandbox that is retired is another's at once, and is given back once.
func TestReadyRetired(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var m maker
		r := newReady(m.build, m.isBusy, 100, 2, 2, 0, zerolog.Nop())
		defer r.close()
		take(r, planOf(t, nil), "/a")
		synctest.Wait()
		one, two := take(r, planOf(t, nil), "/a").(*readyOne), take(r, planOf(t, nil), "/a").(*readyOne)
		synctest.Wait()
		if r.count() != 0 {
			t.Fatalf("%d wait, though all numbers are taken", r.count())
		}
		one.Retire()
		synctest.Wait()
		if next := take(r, planOf(t, nil), "/a"); next == nil || next.(*readyOne).slot != one.slot {
			t.Errorf("the next one is %v, want one with the number %d", next, one.slot)
		}
		if err := one.Close(); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if r.count() != 0 {
			t.Errorf("%d wait with a number that was given back twice", r.count())
		}
		if err := two.Close(); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if r.count() != 1 {
			t.Errorf("%d wait, want one", r.count())
		}
	})
}
