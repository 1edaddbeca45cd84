package daemon

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ccee-dev/ccee/job"
)

func testSlots() *slots {
	return newSlots(budget{slots: 2, memory: 100, millicores: 1000, pids: 100, machine: 10_000, queue: 3, wait: time.Minute})
}

// try starts acquire and returns where its outcome will be.
func try(ctx context.Context, s *slots, n need) <-chan error {
	done := make(chan error, 1)
	go func() {
		_, err := s.acquire(ctx, n)
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

func TestSlotsFirstComeFirstServed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, ctx := testSlots(), t.Context()
		first, err := s.acquire(ctx, need{memory: 60})
		if err != nil {
			t.Fatal(err)
		}
		large := try(ctx, s, need{memory: 80})
		pending(t, "the large job", large)
		small := try(ctx, s, need{memory: 10})
		pending(t, "the small job behind it", small)
		s.release(first, need{memory: 60})
		settled(t, "the large job", large, "")
		settled(t, "the small job", small, "")
		if running, waiting, used := s.inUse(); running != 2 || waiting != 0 || used.memory != 90 {
			t.Errorf("in use: %d running, %d waiting, %v, want 2, 0, 90 bytes", running, waiting, used)
		}
	})
}

// One tenant's large jobs, some of which run, hold up nobody else's: the others are served before those that wait, however many they are and however
// early they came. Among the others it goes by turns too.
func TestSlotsOfTenants(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, ctx := newSlots(budget{slots: 8, memory: 100, millicores: 1000, machine: 10_000, queue: 4, wait: time.Minute}), t.Context()
		first, err := s.acquire(ctx, need{tenant: "attacker", memory: 60})
		if err != nil {
			t.Fatal(err)
		}
		large := try(ctx, s, need{tenant: "attacker", memory: 60})
		pending(t, "the attacker's second", large)
		larger := try(ctx, s, need{tenant: "attacker", memory: 90})
		pending(t, "the attacker's third", larger)
		settled(t, "the victim's", try(ctx, s, need{tenant: "victim", memory: 10}), "")
		settled(t, "the victim's second", try(ctx, s, need{tenant: "victim", memory: 10}), "")
		settled(t, "another's", try(ctx, s, need{tenant: "other", memory: 15}), "")
		late := try(ctx, s, need{tenant: "victim", memory: 10})
		pending(t, "what is more than there is", late)
		later := try(ctx, s, need{tenant: "other", memory: 10})
		pending(t, "the same of another", later)
		settled(t, "one too many", try(ctx, s, need{tenant: "attacker"}), job.EBusy)
		s.release(first, need{tenant: "attacker", memory: 60})
		// The attacker has nothing now: it is its turn, and the rest follow.
		pending(t, "the attacker's third", larger)
		settled(t, "the attacker's second", large, "")
		if running, waiting, used := s.inUse(); running != 4 || waiting != 3 || used.memory != 95 {
			t.Errorf("in use: %d running, %d waiting, %v", running, waiting, used)
		}
	})
}

// A tenant that fills the queue keeps nobody out for whom there is room.
func TestSlotsFullQueue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, ctx := newSlots(budget{slots: 8, memory: 100, millicores: 1000, machine: 10_000, queue: 2, wait: time.Minute}), t.Context()
		settled(t, "the first", try(ctx, s, need{tenant: "attacker", memory: 60}), "")
		for range 2 {
			pending(t, "one that waits", try(ctx, s, need{tenant: "attacker", memory: 60}))
		}
		settled(t, "one too many", try(ctx, s, need{tenant: "attacker", memory: 1}), job.EBusy)
		settled(t, "the victim's", try(ctx, s, need{tenant: "victim", memory: 10}), "")
		settled(t, "the victim's second, for which there is none", try(ctx, s, need{tenant: "victim", memory: 40}), job.EBusy)
		if len(s.held) != 2 || s.share("victim") != 0.125 || s.share("attacker") != 0.6 {
			t.Errorf("held %v", s.held)
		}
	})
}

func TestSlotsRefuse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := testSlots()
		ctx, cancel := context.WithCancel(t.Context())
		settled(t, "too much memory", try(ctx, s, need{memory: 101}), job.EInvalid)
		settled(t, "too much CPU", try(ctx, s, need{millicores: 1001}), job.EInvalid)
		settled(t, "too many processes", try(ctx, s, need{pids: 101}), job.EInvalid)
		settled(t, "the first", try(ctx, s, need{millicores: 1000}), "")

		late := try(t.Context(), s, need{millicores: 1})
		pending(t, "the one that will be late", late)
		time.Sleep(time.Minute - time.Second) // the bubble's clock: no time passes outside
		given := try(ctx, s, need{millicores: 1})
		third := try(t.Context(), s, need{millicores: 1})
		pending(t, "the one that will give up", given)
		pending(t, "the third", third)
		settled(t, "one too many", try(ctx, s, need{}), job.EBusy)
		time.Sleep(time.Second)
		settled(t, "the late one", late, job.EBusy)
		cancel()
		settled(t, "the one that gave up", given, job.ECancelled)
		s.close()
		settled(t, "the third", third, job.EUnavailable)
		settled(t, "after closing", try(t.Context(), s, need{}), job.EUnavailable)
	})
}

// A job that gives up its place lets in those that it held up.
func TestSlotsLeavingHeadLetsOthersIn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := testSlots()
		settled(t, "the first", try(t.Context(), s, need{memory: 50}), "")
		ctx, cancel := context.WithCancel(t.Context())
		large := try(ctx, s, need{memory: 60})
		pending(t, "the large job", large)
		small := try(t.Context(), s, need{memory: 50})
		pending(t, "the small job", small)
		cancel()
		settled(t, "the large job", large, job.ECancelled)
		settled(t, "the small job", small, "")
	})
}

// TestSlotsOfProcesses: jobs whose processes would be more than there can be together wait for each other.
func TestSlotsOfProcesses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := testSlots()
		first, err := s.acquire(t.Context(), need{pids: 60})
		if err != nil {
			t.Fatal(err)
		}
		second := try(t.Context(), s, need{pids: 41})
		pending(t, "the one that is one too many", second)
		s.release(first, need{pids: 60})
		settled(t, "the second", second, "")
		if _, _, used := s.inUse(); used.pids != 41 {
			t.Errorf("%d processes are promised, want 41", used.pids)
		}
	})
}

// Whatever comes together, no two jobs hold a slot at once, no budget is overdrawn, and all is given back.
func TestSlotsUnderLoad(t *testing.T) {
	s := newSlots(budget{slots: 5, memory: 100, millicores: 1000, pids: 100, machine: 10_000, queue: 1000, wait: time.Minute})
	var mu sync.Mutex
	held := map[int]bool{}
	var wg sync.WaitGroup
	for i := range 400 {
		wg.Go(func() {
			n := need{memory: int64(i%40 + 1), millicores: int64(i%500 + 1), pids: int64(i%50 + 1)}
			ctx, cancel := context.WithCancel(t.Context())
			if i%7 == 0 {
				go cancel()
			}
			defer cancel()
			slot, err := s.acquire(ctx, n)
			if err != nil {
				return
			}
			mu.Lock()
			if held[slot] {
				t.Errorf("slot %d is held twice", slot)
			}
			held[slot] = true
			mu.Unlock()
			if _, _, used := s.inUse(); used.memory > 100 || used.millicores > 1000 || used.pids > 100 {
				t.Errorf("in use %+v, more than there is", used)
			}
			mu.Lock()
			delete(held, slot)
			mu.Unlock()
			s.release(slot, n)
		})
	}
	wg.Wait()
	if running, waiting, used := s.inUse(); running != 0 || waiting != 0 || used != (need{}) {
		t.Errorf("at the end: %d running, %d waiting, %+v used, want nothing", running, waiting, used)
	}
}

// TestNoMoreThanTheMachine: a job that asks for more cores than there are does not shut out the others.
func TestNoMoreThanTheMachine(t *testing.T) {
	s := newSlots(budget{slots: 3, memory: 100, millicores: 2000, machine: 1000, queue: 0, wait: time.Minute})
	greedy := need{memory: 1, millicores: 8000}
	slot, err := s.acquire(context.Background(), greedy)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.acquire(context.Background(), need{memory: 1, millicores: 1000}); err != nil {
		t.Errorf("beside the greedy job: %v", err)
	}
	s.release(slot, greedy)
	if _, _, used := s.inUse(); used.millicores != 1000 {
		t.Errorf("%d millicores are in use after the release, want 1000", used.millicores)
	}
}
