// SPDX-License-Identifier: Apache-2.0

package slots

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ccee-dev/ccee/job"
)

// errClosed is why a test's pool is closed.
var errClosed = job.Errorf(job.EUnavailable, "closed")

func testSlots() *Pool {
	return New(Budget{Slots: 2, Memory: 100, Millicores: 1000, Pids: 100, Machine: 10_000, Share: 100, Queue: 3, Wait: time.Minute})
}

// try starts acquire and returns where its outcome will be.
func try(ctx context.Context, s *Pool, n Need) <-chan error {
	done := make(chan error, 1)
	go func() {
		_, err := s.Acquire(ctx, n)
		done <- err
	}()
	return done
}

func pending(t *testing.T, who string, c <-chan error) {
	t.Helper()
	synctest.Wait()
	select {
	case err := <-c:
		t.Fatalf("%s was let in or refused (%v), want it to wait", who, err)
	default:
	}
}

func settled(t *testing.T, who string, c <-chan error, want job.Code) {
	t.Helper()
	synctest.Wait()
	select {
	case err := <-c:
		if job.ErrorCode(err) != want {
			t.Fatalf("%s: %v, want code %q", who, err, want)
		}
	default:
		t.Fatalf("%s still waits, want code %q", who, want)
	}
}

func TestFirstComeFirstServed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, ctx := testSlots(), t.Context()
		first, err := s.Acquire(ctx, Need{Memory: 60})
		if err != nil {
			t.Fatal(err)
		}
		large := try(ctx, s, Need{Memory: 80})
		pending(t, "the large job", large)
		small := try(ctx, s, Need{Memory: 10})
		pending(t, "the small job behind it", small)
		s.Release(first, Need{Memory: 60})
		settled(t, "the large job", large, "")
		settled(t, "the small job", small, "")
		if running, waiting, used := s.InUse(); running != 2 || waiting != 0 || used.Memory != 90 {
			t.Errorf("in use: %d running, %d waiting, %v, want 2, 0, 90 bytes", running, waiting, used)
		}
	})
}

// One tenant's large jobs, some of which run, hold up nobody else's: the others are served before those that wait, however many they are
// and however early they came. Among the others it goes by turns too.
func TestTenantsTakeTurns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, ctx := New(Budget{Slots: 8, Memory: 100, Millicores: 1000, Machine: 10_000, Share: 100, Queue: 4, Wait: time.Minute}), t.Context()
		first, err := s.Acquire(ctx, Need{Tenant: "attacker", Memory: 60})
		if err != nil {
			t.Fatal(err)
		}
		large := try(ctx, s, Need{Tenant: "attacker", Memory: 60})
		pending(t, "the attacker's second", large)
		larger := try(ctx, s, Need{Tenant: "attacker", Memory: 90})
		pending(t, "the attacker's third", larger)
		settled(t, "the victim's", try(ctx, s, Need{Tenant: "victim", Memory: 10}), "")
		settled(t, "the victim's second", try(ctx, s, Need{Tenant: "victim", Memory: 10}), "")
		settled(t, "another's", try(ctx, s, Need{Tenant: "other", Memory: 15}), "")
		late := try(ctx, s, Need{Tenant: "victim", Memory: 10})
		pending(t, "what is more than there is", late)
		later := try(ctx, s, Need{Tenant: "other", Memory: 10})
		pending(t, "the same of another", later)
		settled(t, "one too many", try(ctx, s, Need{Tenant: "attacker"}), job.EBusy)
		s.Release(first, Need{Tenant: "attacker", Memory: 60})
		// The attacker has nothing now: it is its turn, and the rest follow.
		pending(t, "the attacker's third", larger)
		settled(t, "the attacker's second", large, "")
		if running, waiting, used := s.InUse(); running != 4 || waiting != 3 || used.Memory != 95 {
			t.Errorf("in use: %d running, %d waiting, %v", running, waiting, used)
		}
	})
}

// One tenant can't reserve all of a resource, however much there is of the others: its jobs wait, and another tenant's is let in at once.
// Its first job may be as large as it likes, and so may that of a tenant which comes when little is left.
func TestTenantsShare(t *testing.T) {
	for _, tt := range []struct {
		name  string
		job   Need // of the attacker
		holds int  // so many of them run
	}{
		{"slots", Need{Tenant: "attacker"}, 6},
		{"memory", Need{Tenant: "attacker", Memory: 240}, 3},
		{"CPU rate", Need{Tenant: "attacker", Millicores: 1900}, 3},
		{"processes", Need{Tenant: "attacker", Pids: 300}, 2},
		{"all that there is", Need{Tenant: "attacker", Memory: 1000}, 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := Budget{Slots: 8, Memory: 1000, Millicores: 8000, Pids: 1000, Machine: 2000, Share: 75, Queue: 20, Wait: time.Minute}
				s, ctx := New(b), t.Context()
				for range tt.holds {
					settled(t, "the attacker's", try(ctx, s, tt.job), "")
				}
				more := try(ctx, s, tt.job)
				pending(t, "one more of the attacker", more)
				victim := Need{Tenant: "victim", Memory: 10, Millicores: 256, Pids: 10}
				if tt.job.Memory == b.Memory {
					victim.Memory = 0
				}
				settled(t, "the victim's", try(ctx, s, victim), "")
				pending(t, "one more of the attacker", more)
				s.Release(s.budget.First, tt.job)
				settled(t, "one more, when another has ended", more, "")
			})
		})
	}
}

// A job gives back what only its first step needed, and who waits for it is let in.
func TestShrink(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, ctx := New(Budget{Slots: 8, Memory: 100, Millicores: 4000, Pids: 100, Machine: 2000, Share: 100, Queue: 3, Wait: time.Minute}), t.Context()
		compile, run := Need{Tenant: "a", Memory: 60, Millicores: 8000, Pids: 50}, Need{Tenant: "a", Memory: 20, Millicores: 256, Pids: 5}
		first, err := s.Acquire(ctx, compile)
		if err != nil {
			t.Fatal(err)
		}
		second := try(ctx, s, compile)
		pending(t, "the second", second)
		s.Shrink(compile, run)
		settled(t, "the second", second, "")
		if _, _, used := s.InUse(); used != (Need{Memory: 80, Millicores: 2256, Pids: 55}) {
			t.Errorf("%+v are used, want that of one step each", used)
		}
		s.Release(first, run)
		if _, _, used := s.InUse(); used != (Need{Memory: 60, Millicores: 2000, Pids: 50}) {
			t.Errorf("%+v are used at the end, want what the second has", used)
		}
	})
}

// A tenant that fills the queue keeps nobody out for whom there is room.
func TestFullQueue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, ctx := New(Budget{Slots: 8, Memory: 100, Millicores: 1000, Machine: 10_000, Share: 100, Queue: 2, Wait: time.Minute}), t.Context()
		settled(t, "the first", try(ctx, s, Need{Tenant: "attacker", Memory: 60}), "")
		for range 2 {
			pending(t, "one that waits", try(ctx, s, Need{Tenant: "attacker", Memory: 60}))
		}
		settled(t, "one too many", try(ctx, s, Need{Tenant: "attacker", Memory: 1}), job.EBusy)
		settled(t, "the victim's", try(ctx, s, Need{Tenant: "victim", Memory: 10}), "")
		settled(t, "the victim's second, for which there is none", try(ctx, s, Need{Tenant: "victim", Memory: 40}), job.EBusy)
		if s.usage[slots].Holders() != 2 || s.dominantShare("victim") != 0.125 || s.dominantShare("attacker") != 0.6 {
			t.Errorf("%d tenants hold slots; shares %v and %v", s.usage[slots].Holders(), s.dominantShare("victim"), s.dominantShare("attacker"))
		}
	})
}

func TestRefusals(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := testSlots()
		ctx, cancel := context.WithCancel(t.Context())
		settled(t, "too much memory", try(ctx, s, Need{Memory: 101}), job.EInvalid)
		settled(t, "too much CPU", try(ctx, s, Need{Millicores: 1001}), job.EInvalid)
		settled(t, "too many processes", try(ctx, s, Need{Pids: 101}), job.EInvalid)
		settled(t, "the first", try(ctx, s, Need{Millicores: 1000}), "")

		late := try(t.Context(), s, Need{Millicores: 1})
		pending(t, "the one that will be late", late)
		time.Sleep(time.Minute - time.Second) // the bubble's clock: no time passes outside
		given := try(ctx, s, Need{Millicores: 1})
		third := try(t.Context(), s, Need{Millicores: 1})
		pending(t, "the one that will give up", given)
		pending(t, "the third", third)
		settled(t, "one too many", try(ctx, s, Need{}), job.EBusy)
		time.Sleep(time.Second)
		settled(t, "the late one", late, job.EBusy)
		cancel()
		settled(t, "the one that gave up", given, job.ECancelled)
		s.Close(errClosed)
		settled(t, "the third", third, job.EUnavailable)
		settled(t, "after closing", try(t.Context(), s, Need{}), job.EUnavailable)
	})
}

// A job that gives up its place lets in those that it held up.
func TestLeavingTheQueue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := testSlots()
		settled(t, "the first", try(t.Context(), s, Need{Memory: 50}), "")
		ctx, cancel := context.WithCancel(t.Context())
		large := try(ctx, s, Need{Memory: 60})
		pending(t, "the large job", large)
		small := try(t.Context(), s, Need{Memory: 50})
		pending(t, "the small job", small)
		cancel()
		settled(t, "the large job", large, job.ECancelled)
		settled(t, "the small job", small, "")
	})
}

// TestProcesses: jobs whose processes would be more than there can be together wait for each other.
func TestProcesses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := testSlots()
		first, err := s.Acquire(t.Context(), Need{Pids: 60})
		if err != nil {
			t.Fatal(err)
		}
		second := try(t.Context(), s, Need{Pids: 41})
		pending(t, "the one that is one too many", second)
		s.Release(first, Need{Pids: 60})
		settled(t, "the second", second, "")
		if _, _, used := s.InUse(); used.Pids != 41 {
			t.Errorf("%d processes are promised, want 41", used.Pids)
		}
	})
}

// Whatever comes together, no two jobs hold a slot at once, no budget is overdrawn, and all is given back.
func TestUnderLoad(t *testing.T) {
	s := New(Budget{Slots: 5, Memory: 100, Millicores: 1000, Pids: 100, Machine: 10_000, Share: 100, Queue: 1000, Wait: time.Minute})
	var mu sync.Mutex
	held := map[int]bool{}
	var wg sync.WaitGroup
	for i := range 400 {
		wg.Go(func() {
			n := Need{Memory: int64(i%40 + 1), Millicores: int64(i%500 + 1), Pids: int64(i%50 + 1)}
			ctx, cancel := context.WithCancel(t.Context())
			if i%7 == 0 {
				go cancel()
			}
			defer cancel()
			slot, err := s.Acquire(ctx, n)
			if err != nil {
				return
			}
			mu.Lock()
			if held[slot] {
				t.Errorf("slot %d is held twice", slot)
			}
			held[slot] = true
			mu.Unlock()
			if _, _, used := s.InUse(); used.Memory > 100 || used.Millicores > 1000 || used.Pids > 100 {
				t.Errorf("in use %+v, more than there is", used)
			}
			mu.Lock()
			delete(held, slot)
			mu.Unlock()
			s.Release(slot, n)
		})
	}
	wg.Wait()
	if running, waiting, used := s.InUse(); running != 0 || waiting != 0 || used != (Need{}) {
		t.Errorf("at the end: %d running, %d waiting, %+v used, want nothing", running, waiting, used)
	}
}

// TestNoMoreThanTheMachine: a job that asks for more cores than there are does not shut out the others.
func TestNoMoreThanTheMachine(t *testing.T) {
	s := New(Budget{Slots: 3, Memory: 100, Millicores: 2000, Machine: 1000, Share: 100, Queue: 0, Wait: time.Minute})
	greedy := Need{Memory: 1, Millicores: 8000}
	slot, err := s.Acquire(context.Background(), greedy)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Acquire(context.Background(), Need{Memory: 1, Millicores: 1000}); err != nil {
		t.Errorf("beside the greedy job: %v", err)
	}
	s.Release(slot, greedy)
	if _, _, used := s.InUse(); used.Millicores != 1000 {
		t.Errorf("%d millicores are in use after the release, want 1000", used.Millicores)
	}
}

// A job as large as the whole budget is admitted, one that is larger never.
func TestWholeBudget(t *testing.T) {
	p := testSlots()
	for _, n := range []Need{{Memory: 100}, {Millicores: 1000}, {Pids: 100}} {
		slot, err := p.Acquire(t.Context(), n)
		if err != nil {
			t.Errorf("%+v: %v", n, err)
			continue
		}
		p.Release(slot, n)
	}
}

// A job that gives up at the moment in which it is granted a slot gives it back.
func TestGrantedWhileLeaving(t *testing.T) {
	p := testSlots()
	n := Need{Memory: 60}
	slot, err := p.Acquire(t.Context(), n)
	if err != nil {
		t.Fatal(err)
	}
	w, _, err := p.enter(n)
	if w == nil || err != nil {
		t.Fatalf("the second job does not wait: %v", err)
	}
	p.Release(slot, n) // which grants the slot to w
	p.leave(w)
	if running, waiting, used := p.InUse(); running != 0 || waiting != 0 || used != (Need{}) {
		t.Errorf("%d run, %d wait, %+v is used, want nothing", running, waiting, used)
	}
}

// A slot rests as long as possible before it is used again.
func TestSlotsRest(t *testing.T) {
	p := New(Budget{First: 10, Slots: 3, Share: 100, Wait: time.Minute})
	for _, want := range []int{10, 11, 12, 10} {
		slot, err := p.Acquire(t.Context(), Need{})
		if err != nil || slot != want {
			t.Errorf("slot %d, %v, want %d", slot, err, want)
		}
		p.Release(slot, Need{})
	}
}

// TestBusy: the machine is busy when there are as many jobs as cores.
func TestBusy(t *testing.T) {
	p := New(Budget{Slots: 3, Machine: 2000, Share: 100, Wait: time.Minute})
	for running, want := range []bool{false, false, true, true} {
		if p.Busy() != want {
			t.Errorf("with %d jobs on two cores: busy %v, want %v", running, p.Busy(), want)
		}
		if running < 3 {
			if _, err := p.Acquire(t.Context(), Need{}); err != nil {
				t.Fatal(err)
			}
		}
	}
}
