// SPDX-License-Identifier: Apache-2.0

package ready

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/ccee-dev/ccee/nsjail"
)

// Warm sandboxes take no more memory than they may, and leave the rest of the capacity to others.
func TestWarmMemory(t *testing.T) {
	m := maker{busy: true, result: nsjail.Result{Verdict: nsjail.Paused, Usage: nsjail.Usage{MemoryPeak: 40}}}
	p := m.pool(8, 8, 100)
	defer p.Close()
	for range 3 {
		p.Take(warmOf("/a"))
	}
	m.set(func() { m.busy = false })
	p.Nudge()
	filled(t, p, 2)
	take(p, of("/b"))
	filled(t, p, 6) // half of the eight for the other kind
	if sb, warm := p.Take(warmOf("/a")); sb == nil || !warm {
		t.Errorf("%v, warm %v", sb, warm)
	}
	filled(t, p, 6)
	if m.ran() != 3 {
		t.Errorf("%d programs were started, want 3", m.ran())
	}
}

// A program that does not pause is not tried again for a minute, and its jobs get sandboxes without it.
func TestWarmFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := maker{result: nsjail.Result{Verdict: nsjail.Exited, ExitCode: 2}}
		p := m.pool(4, 2, 1<<30)
		defer p.Close()
		if sb, warm := p.Take(warmOf("/a")); sb != nil || warm {
			t.Error("the first job found one")
		}
		time.Sleep(retryPause)
		synctest.Wait()
		p.Take(warmOf("/a")) // there is no warm one, so it counts for the other kind
		synctest.Wait()
		if sb, warm := p.Take(warmOf("/a")); sb == nil || warm {
			t.Errorf("sandbox %v, warm %v, want one without the program", sb, warm)
		}
		if m.ran() != 1 {
			t.Errorf("it was started %d times within a minute, want once", m.ran())
		}
		m.set(func() { m.result = nsjail.Result{Verdict: nsjail.Paused} })
		time.Sleep(warmRetry)
		p.Take(warmOf("/a"))
		synctest.Wait()
		if m.ran() < 2 {
			t.Error("it was not tried again after a minute")
		}
	})
}

// There are as many warm sandboxes as there were jobs, and a runtime that takes long to start delays no other kind.
func TestWarmByDemand(t *testing.T) {
	m := maker{busy: true, result: nsjail.Result{Verdict: nsjail.Paused}, hold: make(chan struct{})}
	p := m.pool(8, 8, 1<<30)
	for range 2 {
		p.Take(warmOf("/slow"))
	}
	take(p, of("/plain"))
	m.set(func() { m.busy = false })
	p.Nudge()
	filled(t, p, 4) // its half, while a runtime of the other kind is started
	close(m.hold)
	filled(t, p, 6)
	for range 2 {
		if sb, warm := p.Take(warmOf("/slow")); sb == nil || !warm {
			t.Errorf("%v, warm %v", sb, warm)
		} else if err := sb.Close(); err != nil {
			t.Error(err)
		}
	}
	filled(t, p, 8) // four requests by now
	p.Close()
	if m.ran() != 6 { // two were given away
		t.Errorf("%d runtimes were started, want 6", m.ran())
	}
}

// Without memory for warm programs none is started.
func TestNoWarmMemory(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var m maker
		p := m.pool(2, 2, 0)
		defer p.Close()
		p.Take(warmOf("/a"))
		synctest.Wait()
		if sb, warm := p.Take(warmOf("/a")); sb == nil || warm || m.ran() != 0 {
			t.Errorf("sandbox %v, warm %v, %d programs were started", sb, warm, m.ran())
		}
	})
}

// The requests of a kind are counted for a minute.
func TestRequestsSince(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &Pool{capacity: 3, kinds: map[string]*kind{}}
		var k *kind
		for range 5 {
			k = p.request(nsjail.Config{Root: "/a"}, program, "tenant")
			time.Sleep(time.Second)
		}
		if got := len(k.requests); got != 3 {
			t.Errorf("%d requests are kept, want as many as the capacity", got)
		}
		if got := k.requestsSince(time.Now().Add(-2 * time.Second)); got != 1 {
			t.Errorf("%d requests in less than two seconds, want 1", got)
		}
		if got := p.shares().target(k); got != 3 {
			t.Errorf("the target is %d, want 3", got)
		}
		time.Sleep(keepFor - 2*time.Second)
		if got := p.shares().target(k); got != 1 {
			t.Errorf("the target is %d, want 1: one request is younger than a minute", got)
		}
	})
}

// Programs may take exactly as much memory as there is for them.
func TestWarmMemoryBound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := maker{busy: true, result: nsjail.Result{Verdict: nsjail.Paused, Usage: nsjail.Usage{MemoryPeak: 50}}}
		p := m.pool(8, 8, 100)
		defer p.Close()
		for range 4 {
			p.Take(warmOf("/a"))
		}
		m.set(func() { m.busy = false })
		p.Nudge()
		synctest.Wait()
		if n := p.Count(); n != 2 {
			t.Errorf("%d wait, want the two that fit", n)
		}
	})
}
