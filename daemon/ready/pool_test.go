package daemon

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"golang.org/x/sys/unix"

	"github.com/ccee-dev/ccee/e2e/patience"
	"github.com/ccee-dev/ccee/job"
	"github.com/ccee-dev/ccee/nsjail"
)

// made is a sandbox that a pool made.
type made struct {
	scripted
	first  int64 // host id
	dead   bool
	closes int
	by     *maker
}

func (m *made) Run(context.Context, nsjail.Process) (nsjail.Result, error) {
	if m.by.held != nil {
		<-m.by.held
	}
	m.by.mu.Lock()
	defer m.by.mu.Unlock()
	m.by.runN++
	return m.by.runs, nil
}

// ran is how many programs were run.
func (m *maker) ran() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.runN
}

func (m *made) Alive() bool  { return !m.dead }
func (m *made) Retire()      {}
func (m *made) Close() error { m.closes++; return m.closed }

// maker makes them, and keeps count.
type maker struct {
	mu   sync.Mutex // guards all
	all  []*made
	fail error
	busy bool
	runs nsjail.Result // what comes of a program
	runN int
	held chan struct{} // a program goes on when it is closed; nil: at once
}

func (m *maker) isBusy() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.busy
}

func (m *maker) beBusy(busy bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.busy = busy
}

func (m *maker) build(_ context.Context, cfg nsjail.Config) (sandbox, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.fail != nil {
		return nil, m.fail
	}
	m.all = append(m.all, &made{first: cfg.UIDMappings[0].HostID, by: m})
	return m.all[len(m.all)-1], nil
}

// filled waits until the pool has as many.
func filled(t *testing.T, r *ready, n int) {
	t.Helper()
	eventually(t, func() bool { return r.count() == n })
}

// eventually waits until something is so.
func eventually(t *testing.T, so func() bool) {
	t.Helper()
	patience.Until(t, "what this line waits for", func() (bool, string) { return so(), "not so" })
}

func planOf(t *testing.T, change func(*job.Spec)) plan {
	t.Helper()
	spec := job.Spec{ID: "1", Language: "python", Source: "x"}
	if change != nil {
		change(&spec)
	}
	p, err := newPlan(spec, python)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func take(r *ready, p plan, root string) sandbox {
	sb, _ := r.take(p, root, filter{})
	return sb
}

// Each sandbox is given once, with ids that no other has at that time, and what is not wanted any more goes.
func TestReadyPool(t *testing.T) {
	var m maker
	r := newReady(m.build, m.isBusy, 100, 2, 2, 0, zerolog.Nop())
	p := planOf(t, nil)
	if sb := take(r, p, "/a"); sb != nil {
		t.Error("the first job found one ready")
	}
	filled(t, r, 2)
	one, two := take(r, p, "/a").(*readyOne), take(r, p, "/a").(*readyOne)
	if one == two || one.slot == two.slot || take(r, p, "/a") != nil {
		t.Errorf("slots %d and %d, and then another one", one.slot, two.slot)
	}
	if made := one.sandbox.(*made); made.first != firstHostID+2*int64(one.slot) {
		t.Errorf("host id %d for slot %d", made.first, one.slot)
	}
	if err := one.Close(); err != nil {
		t.Fatal(err)
	}
	filled(t, r, 1) // a number is free again
	// One that died is not given.
	m.mu.Lock()
	m.all[2].dead = true
	m.mu.Unlock()
	if sb := take(r, p, "/a"); sb != nil {
		t.Error("a dead one is given")
	}
	filled(t, r, 1)
	// A second kind takes its share from the first, and unusual sandboxes have none.
	if err := two.Close(); err != nil {
		t.Fatal(err)
	}
	filled(t, r, 2)
	take(r, p, "/b")
	eventually(t, func() bool {
		sb := take(r, p, "/b")
		if sb != nil {
			two = sb.(*readyOne)
		}
		return sb != nil
	})
	if take(r, planOf(t, func(s *job.Spec) { s.Run.TmpBytes = 8192 }), "/a") != nil {
		t.Error("one of an unusual size was ready")
	}
	two.sandbox.(*made).closed = errors.New("does not die")
	if two.Close() == nil {
		t.Error("no error")
	}
	r.expire(time.Now().Add(time.Hour))
	filled(t, r, 0)
	take(r, p, "/b")
	filled(t, r, 1) // the other number is lost
	r.close()
	for i, one := range m.all {
		if one.closes != 1 {
			t.Errorf("sandbox %d was closed %d times", i, one.closes)
		}
	}
}

// A host that can't make any is asked again, and jobs go on without.
func TestReadyFails(t *testing.T) {
	m := maker{fail: errors.New("no memory")}
	r := newReady(m.build, m.isBusy, 100, 2, 2, 0, zerolog.Nop())
	defer r.close()
	for range 3 {
		if take(r, planOf(t, nil), "/a") != nil {
			t.Fatal("one is ready")
		}
	}
	m.mu.Lock()
	m.fail = nil
	m.mu.Unlock()
	filled(t, r, 2)
}

// While as many jobs run as there are cores nothing is made ahead.
func TestReadyBusy(t *testing.T) {
	m := maker{busy: true}
	r := newReady(m.build, m.isBusy, 100, 2, 2, 0, zerolog.Nop())
	defer r.close()
	p := planOf(t, nil)
	for range 3 {
		if take(r, p, "/a") != nil {
			t.Fatal("one is ready")
		}
	}
	m.mu.Lock()
	m.busy = false
	if len(m.all) != 0 {
		t.Errorf("%d were made", len(m.all))
	}
	m.mu.Unlock()
	r.nudge()
	filled(t, r, 2)
}

var (
	readyNow = regexp.MustCompile(`(?m)^ccee_daemon_ready_sandboxes (\d+)`)
	taken    = regexp.MustCompile(`(?m)^ccee_daemon_sandboxes_total\{from="(\w+)"\} (\d+)`)
)

// awaitReady returns once the daemon has at least as many sandboxes ready.
func (s *served) awaitReady(t *testing.T, n int) {
	t.Helper()
	patience.Until(t, fmt.Sprintf("%d sandboxes are ready", n), func() (bool, string) {
		_, text := s.ask(t, "GET", "/metrics", "", "")
		m := readyNow.FindStringSubmatch(text)
		if m == nil {
			return false, text
		}
		have, _ := strconv.Atoi(m[1])
		return have >= n, text
	})
}

// from is how many sandboxes came from there.
func (s *served) from(t *testing.T, where string) string {
	_, text := s.ask(t, "GET", "/metrics", "", "")
	for _, m := range taken.FindAllStringSubmatch(text, -1) {
		if m[1] == where {
			return m[2]
		}
	}
	return "0"
}

// comparable is all of a result that may not differ from run to run.
func comparable(res job.Result) string {
	var b strings.Builder
	for s := range res.EveryStep() {
		code := "none"
		if s.ExitCode != nil {
			code = strconv.Itoa(*s.ExitCode)
		}
		fmt.Fprintf(&b, "%s %s %s %s\n%s%s%d %d %+v\n", s.Name, s.Verdict, code, s.Signal, s.Stdout.Data, s.Stderr.Data, s.Stdout.Bytes, s.Stderr.Bytes, s.Limits)
	}
	fmt.Fprintf(&b, "%s %s %s", res.Status, res.Verdict, verdictsOf(res))
	if res.OutputFiles != nil {
		b.WriteString(summary(res.OutputFiles))
	}
	return b.String()
}

// A sandbox that somebody kills while it waits costs no job anything.
func TestReadyKilled(t *testing.T) {
	s := realDaemon(t, func(o *Options) { o.Ready = 2 })
	hello := job.Spec{Language: "python", Source: "print('hello')"}
	s.runSpec(t, hello)
	s.awaitReady(t, 2)
	killed := 0
	for _, file := range glob(t, "/proc/[0-9]*/status") { // root of a sandbox is its sandbox-init
		b, err := os.ReadFile(file)
		if err != nil || !strings.Contains(string(b), fmt.Sprintf("\nUid:\t%d\t", firstReady(s))) {
			continue // gone meanwhile
		}
		pid, _ := strconv.Atoi(strings.Split(file, "/")[2])
		if err := unix.Kill(pid, unix.SIGKILL); err != nil {
			t.Fatal(err)
		}
		killed++
	}
	if killed == 0 {
		t.Fatal("there is no sandbox-init of that user")
	}
	for range 3 {
		if res := s.runSpec(t, hello); res.Status != job.Succeeded {
			t.Errorf("%s %s", res.Status, res.Verdict)
		}
	}
}

func glob(t *testing.T, pattern string) []string {
	t.Helper()
	files, err := filepath.Glob(pattern)
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// firstReady is the host id of root in the first sandbox that a daemon makes ahead.
func firstReady(s *served) int64 {
	return firstHostID + 2*int64(s.slots.total.first+s.slots.total.slots)
}

// TestReadyShares: of two kinds that have what they should, neither loses any by jobs of the other.
func TestReadyShares(t *testing.T) {
	var m maker
	r := newReady(m.build, m.isBusy, 100, 20, 8, 0, zerolog.Nop())
	p := planOf(t, nil)
	take(r, p, "/a")
	filled(t, r, 8)
	take(r, p, "/b")
	eventually(t, func() bool {
		r.mu.Lock()
		defer r.mu.Unlock()
		for _, k := range r.kinds {
			if len(k.list) != 4 {
				return false
			}
		}
		return true
	})
	var closed int
	for _, one := range m.all {
		closed += one.closes
	}
	var taken []sandbox
	for range 10 {
		taken = append(taken, take(r, p, "/b"))
		filled(t, r, 8)
	}
	r.close()
	for _, sb := range taken {
		closed++
		if err := sb.Close(); err != nil {
			t.Error(err)
		}
	}
	if closed += 8; len(m.all) != closed { // the eight that waited at the end
		t.Errorf("%d were made, %d of them for nothing", len(m.all), len(m.all)-closed)
	}
}
