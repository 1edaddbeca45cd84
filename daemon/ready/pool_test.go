// SPDX-License-Identifier: Apache-2.0

package ready

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rs/zerolog"

	"github.com/ccee-dev/ccee/daemon/slots"
	"github.com/ccee-dev/ccee/e2e/patience"
	"github.com/ccee-dev/ccee/nsjail"
)

// fakeJail is a sandbox that a pool made.
type fakeJail struct {
	rootID  int64 // host id
	dead    bool
	stuck   error // what Close returns
	unready error // what Ready returns
	closes  int
	by      *maker
}

func (j *fakeJail) Run(context.Context, nsjail.Process) (nsjail.Result, error) {
	if j.by.hold != nil {
		<-j.by.hold
	}
	j.by.mu.Lock()
	defer j.by.mu.Unlock()
	j.by.runs++
	return j.by.result, nil
}

func (j *fakeJail) Ready() error { return j.unready }
func (j *fakeJail) Alive() bool  { return !j.dead }
func (j *fakeJail) Dir() int     { return -1 }
func (j *fakeJail) Retire()      {}

func (j *fakeJail) SetCPUWeight(int64) error { return nil }

func (j *fakeJail) Close() error {
	j.by.mu.Lock()
	defer j.by.mu.Unlock()
	j.closes++
	return j.stuck
}

// maker makes fake sandboxes, and keeps count.
type maker struct {
	mu      sync.Mutex // guards all
	tries   int        // sandboxes that were to be made
	made    []*fakeJail
	fail    error // of the next ones
	unready error // the same, once they are made
	busy    bool
	result  nsjail.Result // of every program
	runs    int           // programs that ended
	hold    chan struct{} // programs wait until it is closed; nil: they don't
}

// set changes the maker while a pool uses it.
func (m *maker) set(change func()) {
	m.mu.Lock()
	defer m.mu.Unlock()
	change()
}

func (m *maker) ran() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.runs
}

func (m *maker) isBusy() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.busy
}

func (m *maker) build(_ context.Context, cfg nsjail.Config) (Jail, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.tries++
	if m.fail != nil {
		return nil, m.fail
	}
	m.made = append(m.made, &fakeJail{rootID: cfg.UIDMappings[0].HostID, unready: m.unready, by: m})
	return m.made[len(m.made)-1], nil
}

// pool is a Pool with sandboxes by m, and slots from 100 on.
func (m *maker) pool(slots, capacity int, warmBytes int64) *Pool {
	return New(Options{Build: m.build, Busy: m.isBusy, FirstSlot: 100, Slots: slots, Capacity: capacity, WarmBytes: warmBytes, Log: zerolog.Nop()})
}

// closed is how many of the sandboxes were closed.
func (m *maker) closed() (n int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, j := range m.made {
		n += j.closes
	}
	return n
}

// filled waits until n sandboxes wait in the pool.
func filled(t *testing.T, p *Pool, n int) {
	t.Helper()
	eventually(t, func() bool { return p.Count() == n })
}

func eventually(t *testing.T, so func() bool) {
	t.Helper()
	patience.Until(t, "the condition of this line", func() (bool, string) { return so(), "false" })
}

// program is a runtime that can be started in a sandbox.
var program = &nsjail.Process{Args: []string{"/usr/bin/python3", "-X", "warm", "main.py"}}

// of is a request for a sandbox of an image.
func of(root string) Request { return Request{Config: nsjail.Config{Root: root}} }

// warmOf is a request that a warm sandbox can serve.
func warmOf(root string) Request { return Request{Config: nsjail.Config{Root: root}, Program: program} }

// take takes a sandbox for req; nil if none waits.
func take(p *Pool, req Request) *Sandbox {
	sb, _ := p.Take(req)
	return sb
}

// Each sandbox is given once, with ids that no other has at that time, and sandboxes that nobody requests any more are closed.
func TestPool(t *testing.T) {
	var m maker
	p := m.pool(2, 2, 0)
	if sb := take(p, of("/a")); sb != nil {
		t.Error("the first job found a sandbox")
	}
	filled(t, p, 2)
	one, two := take(p, of("/a")), take(p, of("/a"))
	if one == two || one.slot == two.slot || take(p, of("/a")) != nil {
		t.Errorf("slots %d and %d, and then a third one", one.slot, two.slot)
	}
	if id, _ := slots.HostIDs(one.slot); one.Jail.(*fakeJail).rootID != id {
		t.Errorf("host id %d for slot %d", one.Jail.(*fakeJail).rootID, one.slot)
	}
	if err := one.Close(); err != nil {
		t.Fatal(err)
	}
	filled(t, p, 1) // a slot is free again
	// A dead one is not given.
	m.set(func() { m.made[2].dead = true })
	if sb := take(p, of("/a")); sb != nil {
		t.Error("a dead one is given")
	}
	filled(t, p, 1)
	// A second kind takes its share from the first.
	if err := two.Close(); err != nil {
		t.Fatal(err)
	}
	filled(t, p, 2)
	take(p, of("/b"))
	eventually(t, func() bool {
		sb := take(p, of("/b"))
		if sb != nil {
			two = sb
		}
		return sb != nil
	})
	m.set(func() { two.Jail.(*fakeJail).stuck = errors.New("does not die") })
	if two.Close() == nil {
		t.Error("no error")
	}
	p.expire(time.Now().Add(time.Hour))
	filled(t, p, 0)
	take(p, of("/b"))
	filled(t, p, 1) // the other slot is lost
	p.Close()
	for i, j := range m.made {
		if j.closes != 1 {
			t.Errorf("sandbox %d was closed %d times", i, j.closes)
		}
	}
}

// While sandboxes can't be made jobs go on without, and the pool tries again. No slot is lost.
func TestPoolFails(t *testing.T) {
	for name, spoil := range map[string]func(*maker, error){
		"not built": func(m *maker, err error) { m.fail = err },
		"not ready": func(m *maker, err error) { m.unready = err },
	} {
		t.Run(name, func(t *testing.T) {
			var m maker
			spoil(&m, errors.New("no memory"))
			p := m.pool(2, 2, 0)
			defer p.Close()
			for range 3 {
				if take(p, of("/a")) != nil {
					t.Fatal("a sandbox waits")
				}
			}
			eventually(t, func() bool { m.mu.Lock(); defer m.mu.Unlock(); return m.tries > 0 })
			m.set(func() { spoil(&m, nil) })
			filled(t, p, 2)
			if made := len(m.made); m.closed() != made-2 {
				t.Errorf("%d of %d sandboxes were closed, want all but two", m.closed(), made)
			}
		})
	}
}

// While as many jobs run as there are cores no sandbox is made.
func TestPoolBusy(t *testing.T) {
	m := maker{busy: true}
	p := m.pool(2, 2, 0)
	defer p.Close()
	for range 3 {
		if take(p, of("/a")) != nil {
			t.Fatal("a sandbox waits")
		}
	}
	m.set(func() {
		m.busy = false
		if len(m.made) != 0 {
			t.Errorf("%d were made", len(m.made))
		}
	})
	p.Nudge()
	filled(t, p, 2)
}

// Of two kinds that have their target, neither loses a sandbox by jobs of the other.
func TestPoolIsStable(t *testing.T) {
	var m maker
	p := m.pool(20, 8, 0)
	take(p, of("/a"))
	filled(t, p, 8)
	take(p, of("/b"))
	eventually(t, func() bool {
		p.mu.Lock()
		defer p.mu.Unlock()
		for _, k := range p.kinds {
			if len(k.waiting) != 4 {
				return false
			}
		}
		return true
	})
	evicted := m.closed()
	var taken []*Sandbox
	for range 10 {
		taken = append(taken, take(p, of("/b")))
		filled(t, p, 8)
	}
	p.Close()
	for _, sb := range taken {
		if err := sb.Close(); err != nil {
			t.Error(err)
		}
	}
	if want := evicted + len(taken) + 8; len(m.made) != want || evicted != 4 { // the eight that waited at the end
		t.Errorf("%d were made and %d evicted, want %d and 4", len(m.made), evicted, want)
	}
}

// A kind that was evicted entirely, or expired, while its sandbox was made does not come back.
func TestPoolExpiresWhileMaking(t *testing.T) {
	m := maker{result: nsjail.Result{Verdict: nsjail.Paused}, hold: make(chan struct{})}
	p := m.pool(2, 2, 1<<30)
	p.Take(warmOf("/a"))
	eventually(t, func() bool { m.mu.Lock(); defer m.mu.Unlock(); return len(m.made) == 1 })
	p.expire(time.Now().Add(time.Hour))
	close(m.hold)
	eventually(t, func() bool { return m.closed() == 1 })
	if n := p.Count(); n != 0 {
		t.Errorf("%d wait of a kind that expired", n)
	}
	p.Close()
}

// A slot is someone else's as soon as its sandbox is retired, and is given back once.
func TestRetired(t *testing.T) {
	var m maker
	p := m.pool(2, 2, 0)
	defer p.Close()
	take(p, of("/a"))
	filled(t, p, 2)
	one, two := take(p, of("/a")), take(p, of("/a"))
	one.Retire()
	filled(t, p, 1)
	next := take(p, of("/a"))
	if next.slot != one.slot {
		t.Errorf("the next one has slot %d, want %d", next.slot, one.slot)
	}
	if err := one.Close(); err != nil {
		t.Fatal(err)
	}
	p.mu.Lock()
	if len(p.freeSlots) != 0 {
		t.Errorf("slots %v are free, want none: one was given back twice", p.freeSlots)
	}
	p.mu.Unlock()
	if err := errors.Join(next.Close(), two.Close()); err != nil {
		t.Fatal(err)
	}
	filled(t, p, 2)
	p.mu.Lock()
	defer p.mu.Unlock()
	var inUse []int
	for _, k := range p.kinds {
		for _, sb := range k.waiting {
			inUse = append(inUse, sb.slot)
		}
	}
	if slices.Sort(inUse); !slices.Equal(inUse, []int{100, 101}) {
		t.Errorf("slots %v are in use, want each once", inUse)
	}
}

// Cores may become idle without a job's end: jobs that begin to sleep end nothing. The pool looks again by itself.
func TestBusyForAWhile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := maker{busy: true}
		p := m.pool(2, 2, 0)
		defer p.Close()
		take(p, of("/a"))
		time.Sleep(busyPause)
		synctest.Wait()
		if n := p.Count(); n != 0 {
			t.Errorf("%d sandboxes were made while the cores were busy", n)
		}
		m.set(func() { m.busy = false })
		time.Sleep(busyPause)
		synctest.Wait()
		if n := p.Count(); n != 2 {
			t.Errorf("%d sandboxes wait after the cores became idle, want 2", n)
		}
	})
}

// A kind without requests is kept for a minute.
func TestPoolExpires(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var m maker
		p := m.pool(2, 2, 0)
		defer p.Close()
		take(p, of("/a"))
		time.Sleep(keepFor)
		synctest.Wait()
		if n := p.Count(); n != 2 {
			t.Errorf("%d wait after a minute, want 2", n)
		}
		time.Sleep(expireEvery)
		synctest.Wait()
		if n := p.Count(); n != 0 || m.closed() != 2 {
			t.Errorf("%d wait after more than a minute, and %d were closed", n, m.closed())
		}
	})
}

// A sandbox that can't be closed costs its slot, and not the kind that was to have it: another one is evicted.
func TestEvictionFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var m maker
		p := m.pool(4, 4, 0)
		defer p.Close()
		take(p, of("/a"))
		synctest.Wait()
		m.set(func() { m.made[0].stuck = errors.New("does not die") })
		take(p, of("/b"))
		synctest.Wait()
		time.Sleep(evictAfter)
		take(p, of("/b"))
		synctest.Wait()
		if sb := take(p, of("/b")); sb == nil {
			t.Error("the second kind has none")
		}
	})
}
