// SPDX-License-Identifier: Apache-2.0

package worker

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"

	"github.com/ccee-dev/ccee/daemon/client"
	"github.com/ccee-dev/ccee/e2e/patience"
	"github.com/ccee-dev/ccee/job"
)

// fakeDaemon speaks the daemon's protocol on a socket.
type fakeDaemon struct {
	socket string

	mu        sync.Mutex // guards all below
	capacity  job.Capacity
	languages []job.Language
	run       func(w http.ResponseWriter, spec job.Spec) // nil: it succeeds
	ran       []string                                   // ids
}

// newFake starts a daemon with four slots that has python.
func newFake(t *testing.T, change func(*fakeDaemon)) *fakeDaemon {
	t.Helper()
	dir, err := os.MkdirTemp("", "pool-test")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	four := job.Amount{Total: 4, Free: 4}
	d := &fakeDaemon{socket: filepath.Join(dir, "s"), languages: []job.Language{{Name: "python", Aliases: []string{"py"}}},
		capacity: job.Capacity{Protocol: job.Protocol, Tier: "jail", Slots: four,
			MemoryBytes: job.Amount{Total: 4 << 30, Free: 4 << 30}, CPUMillicores: job.Amount{Total: 4000, Free: 4000}}}
	if change != nil {
		change(d)
	}
	d.serve(t)
	return d
}

func (d *fakeDaemon) serve(t *testing.T) {
	t.Helper()
	l, err := net.Listen("unix", d.socket)
	if err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	get := func(path string, answer func() any) {
		mux.HandleFunc("GET "+path, func(w http.ResponseWriter, _ *http.Request) {
			d.mu.Lock()
			defer d.mu.Unlock()
			json.NewEncoder(w).Encode(answer())
		})
	}
	get("/v1/capacity", func() any { return d.capacity })
	get("/v1/languages", func() any { return map[string]any{"languages": d.languages} })
	get("/ready", func() any { return map[string]any{"ready": true, "slots": 4, "queueWaitMs": 1000} })
	mux.HandleFunc("POST /v1/run", func(w http.ResponseWriter, r *http.Request) {
		var spec job.Spec
		if err := json.NewDecoder(r.Body).Decode(&spec); err != nil {
			t.Error(err)
		}
		d.mu.Lock()
		d.ran = append(d.ran, spec.ID)
		run := d.run
		d.mu.Unlock()
		if run != nil {
			run(w, spec)
			return
		}
		res := good(spec)
		json.NewEncoder(w).Encode(job.Event{Type: job.EventResult, Result: &res})
	})
	srv := &http.Server{Handler: mux}
	go srv.Serve(l)
	t.Cleanup(func() { srv.Close() })
}

func (d *fakeDaemon) set(change func(*fakeDaemon)) {
	d.mu.Lock()
	defer d.mu.Unlock()
	change(d)
}

func (d *fakeDaemon) jobs() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return len(d.ran)
}

// answers refuses each job with an error.
func answers(status int, e *job.Error) func(http.ResponseWriter, job.Spec) {
	return func(w http.ResponseWriter, _ job.Spec) {
		w.WriteHeader(status)
		json.NewEncoder(w).Encode(map[string]any{"error": e})
	}
}

// breaks closes the connection once a program of the job was started.
func breaks(w http.ResponseWriter, _ job.Spec) {
	json.NewEncoder(w).Encode(job.Event{Type: job.EventStarted, Step: "run"})
	http.NewResponseController(w).Flush()
	panic(http.ErrAbortHandler)
}

// list is a Finder that can be changed.
type list struct {
	mu  sync.Mutex // guards all below
	all []string
	err error
}

func (l *list) Find(context.Context) ([]string, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.all, l.err
}

// newPool returns a pool of daemons that has asked all of them. They are drawn in their order.
func newPool(t *testing.T, daemons ...*fakeDaemon) *Pool {
	t.Helper()
	var all Static
	for _, d := range daemons {
		all = append(all, d.socket)
	}
	p, err := NewPool(PoolOptions{Find: all, Dial: client.New, Log: zerolog.New(zerolog.NewTestWriter(t)),
		Metrics: prometheus.NewRegistry(), below: func(int) int { return 0 }})
	if err != nil {
		t.Fatal(err)
	}
	start(t, p)
	for _, m := range awaitMembers(t, p, len(daemons)) {
		patience.Until(t, "it was asked", func() (bool, string) { _, known := m.now(); return known, m.address })
	}
	return p
}

func start(t *testing.T, p *Pool) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); p.Watch(ctx) }()
	t.Cleanup(func() { cancel(); patience.Receive(t, done, "Watch ends") })
}

func awaitMembers(t *testing.T, p *Pool, n int) []*member {
	t.Helper()
	patience.Until(t, fmt.Sprintf("the pool has %d daemons", n), func() (bool, string) {
		return len(p.list()) == n, fmt.Sprint(len(p.list()))
	})
	return p.list()
}

func TestPoolRun(t *testing.T) {
	type daemons = []func(*fakeDaemon)
	python := job.Spec{ID: "j", Language: "py", Attempt: 1}
	java := job.Spec{ID: "j", Language: "java", Attempt: 1}
	again := job.Spec{ID: "j", Language: "python", Attempt: 2}
	checked := job.Spec{ID: "j", Language: "python", Tests: &job.Tests{Checker: &job.Checker{Language: "java"}}}
	running := func(run func(http.ResponseWriter, job.Spec)) func(*fakeDaemon) {
		return func(d *fakeDaemon) { d.run = run }
	}
	refuses := func(status int, e *job.Error) func(*fakeDaemon) { return running(answers(status, e)) }
	breaking, full := running(breaks), refuses(503, job.Errorf(job.EBusy, "full"))
	drains := func(d *fakeDaemon) { d.capacity.Draining = true }
	for _, tt := range []struct {
		name    string
		daemons daemons
		spec    job.Spec
		code    job.Code // "" for a result
		broken  bool
		ran     int // daemons that were asked to run it
	}{
		{"the one that has the language", daemons{func(d *fakeDaemon) { d.languages[0] = job.Language{Name: "java"} }, nil}, python, "", false, 1},
		{"the one that is not full", daemons{func(d *fakeDaemon) { d.capacity.Slots.Free = 0 }, nil}, python, "", false, 1},
		{"another after one without room", daemons{full, nil}, python, "", false, 2},
		{"another after one that drains", daemons{refuses(503, job.Errorf(job.EUnavailable, "draining")), nil}, python, "", false, 2},
		{"another after one that still has it", daemons{refuses(409, job.Errorf(job.EConflict, "running")), nil}, python, "", false, 2},
		{"another after one that breaks off", daemons{breaking, nil}, python, "", false, 2},
		{"no third one", daemons{breaking, breaking, nil}, python, job.EUnavailable, true, 2},
		{"no other in a later attempt", daemons{breaking, nil}, again, job.EUnavailable, true, 1},
		{"a break, and nobody else", daemons{breaking, drains}, python, job.EUnavailable, true, 1},
		{"a break, and nobody else has room", daemons{breaking, full}, python, job.EUnavailable, true, 2},
		{"nobody has room", daemons{full}, python, job.EBusy, false, 1},
		{"nobody has the language", daemons{nil}, java, job.EUnavailable, false, 0},
		{"nobody has the checker's language", daemons{nil}, checked, job.EUnavailable, false, 0},
		{"a job that can't run", daemons{refuses(400, job.Invalid("run.wallMs", "is too much")), nil}, python, job.EInvalid, false, 1},
		{"a worker that is not allowed", daemons{refuses(403, job.Errorf(job.EForbidden, "no"))}, python, job.EUnavailable, false, 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var all []*fakeDaemon
			for i, change := range tt.daemons {
				all = append(all, newFake(t, func(d *fakeDaemon) {
					d.capacity.CPUMillicores.Free -= 1000 * int64(i) // so that the first one that can is chosen
					if change != nil {
						change(d)
					}
				}))
			}
			p := newPool(t, all...)
			res, err := p.Run(patience.Context(t), tt.spec, func(job.Event) {})
			got := job.ErrorCode(err)
			if err == nil && res.Status == job.Succeeded {
				got = ""
			}
			if got != tt.code || errors.Is(err, ErrBroken) != tt.broken {
				t.Errorf("Run = %+v, %v, want code %q, broken %v", res, err, tt.code, tt.broken)
			}
			ran := 0
			for _, d := range all {
				ran += d.jobs()
			}
			if ran != tt.ran {
				t.Errorf("%d daemons were asked to run it, want %d", ran, tt.ran)
			}
		})
	}
}

func TestPoolReady(t *testing.T) {
	java := func(d *fakeDaemon) { d.languages = []job.Language{{Name: "java"}} }
	p := newPool(t, newFake(t, nil), newFake(t, java),
		newFake(t, func(d *fakeDaemon) { d.capacity.Draining = true }),
		newFake(t, func(d *fakeDaemon) { d.capacity.Protocol = job.Protocol + 2 }),
		newFake(t, func(d *fakeDaemon) { d.languages = nil }))
	r, err := p.Ready(t.Context())
	if err != nil || r.Slots != 8 || r.Runs != 2 {
		t.Errorf("Ready = %+v, %v, want the slots of two daemons", r, err)
	}
	for _, want := range []string{"it is draining", "version 3 of the protocol", "no languages"} {
		if !slices.ContainsFunc(r.Warnings, func(w string) bool { return strings.Contains(w, want) }) {
			t.Errorf("warnings %q, want one with %q", r.Warnings, want)
		}
	}
	languages, err := p.Languages(t.Context())
	if err != nil || len(languages) != 2 || languages[0].Name != "java" || languages[1].Name != "python" {
		t.Errorf("Languages = %+v, %v, want java and python", languages, err)
	}
	if ready, out := p.count("ready"), p.count("left_out"); ready != 2 || out != 3 {
		t.Errorf("%d are ready, %d left out, want 2 and 3", ready, out)
	}
}

func TestPoolNeighbouringProtocols(t *testing.T) {
	p := newPool(t, newFake(t, func(d *fakeDaemon) { d.capacity.Protocol = job.Protocol + 1 }),
		newFake(t, func(d *fakeDaemon) { d.capacity.Protocol = job.Protocol - 1 }))
	if r, err := p.Ready(t.Context()); err != nil || r.Slots != 8 {
		t.Errorf("Ready = %+v, %v, want both", r, err)
	}
}

// TestPoolNobody: without a daemon the pool says why, and comes back with the first one.
func TestPoolNobody(t *testing.T) {
	d := newFake(t, func(d *fakeDaemon) { d.capacity.Draining = true })
	p := newPool(t, d)
	if _, err := p.Ready(t.Context()); job.ErrorCode(err) != job.EUnavailable || !strings.Contains(err.Error(), "draining") {
		t.Errorf("Ready = %v, want that it is draining", err)
	}
	_, err := p.Run(t.Context(), job.Spec{ID: "j", Language: "python"}, func(job.Event) {})
	if job.ErrorCode(err) != job.EUnavailable || errors.Is(err, ErrBroken) {
		t.Errorf("Run = %v, want unavailable", err)
	}
	d.set(func(d *fakeDaemon) { d.capacity.Draining = false })
	patience.Until(t, "it is back", func() (bool, string) {
		r, err := p.Ready(t.Context())
		return err == nil && r.Slots == 4, fmt.Sprint(r, err)
	})
}

// TestPoolFinds: daemons join and leave; while they can't be found, those of before stay.
func TestPoolFinds(t *testing.T) {
	a, b := newFake(t, nil), newFake(t, nil)
	l := &list{all: []string{a.socket}}
	p, err := NewPool(PoolOptions{Find: l, Dial: client.New, Log: zerolog.Nop()})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(patience.Context(t))
	var watching sync.WaitGroup
	t.Cleanup(func() { cancel(); watching.Wait() })
	find := func(err error, all ...string) []string {
		p.update(ctx, &watching, all, err)
		var now []string
		for _, m := range p.list() {
			now = append(now, m.address)
		}
		return now
	}
	both := slices.Sorted(slices.Values([]string{a.socket, b.socket}))
	for _, tt := range []struct {
		got, want []string
	}{
		{find(nil, a.socket), []string{a.socket}},
		{find(nil, b.socket, a.socket, b.socket), both},
		{find(errors.New("no such host")), both},
		{find(nil, b.socket), []string{b.socket}},
	} {
		if !slices.Equal(tt.got, tt.want) {
			t.Errorf("%v, want %v", tt.got, tt.want)
		}
	}
	many := make([]string, 2*mostDaemons)
	for i := range many {
		many[i] = fmt.Sprintf("/none/%d", i)
	}
	if got := tidy(many); len(got) != mostDaemons {
		t.Errorf("%d daemons, want %d at most", len(got), mostDaemons)
	}
}

// TestPoolCounts: what a worker has begun counts before the daemon says so, and what has ended no more.
func TestPoolCounts(t *testing.T) {
	d := newFake(t, nil)
	p := newPool(t, d)
	m := p.list()[0]
	spec := job.Spec{Language: "python", Run: job.Limits{MemoryBytes: 1 << 30, CPUMillicores: 1000}}
	need := needOf(&spec, d.languages)
	release := m.reserve(need)
	if c, _, err := m.offer(&spec); err != nil || c.free != (room{3, 3 << 30, 3000}) {
		t.Errorf("after one job: %+v, %v, want three quarters free", c.free, err)
	}
	release()
	release()
	if c, _, _ := m.offer(&spec); c.free != c.total {
		t.Errorf("after its end: %+v of %+v, want all free", c.free, c.total)
	}
}

func TestParseStatic(t *testing.T) {
	for _, bad := range [][]string{nil, {"a"}, {":1"}, {"a:0"}, {"a:x"}, {"a:70000"}, {"a:1", ""}} {
		if got, err := ParseStatic(bad); err == nil {
			t.Errorf("ParseStatic(%q) = %v, want an error", bad, got)
		}
	}
	if got, err := ParseStatic([]string{"a:1", "[::1]:2"}); err != nil || len(got) != 2 {
		t.Errorf("%v, %v", got, err)
	}
}

// TestSRV: the answer is written by hand from RFC 1035, 4.1, and RFC 2782.
func TestSRV(t *testing.T) {
	c, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	go func() {
		b := make([]byte, 512)
		for {
			n, from, err := c.ReadFrom(b)
			if err != nil {
				return
			}
			end := 12 + slices.Index(b[12:n], 0) + 1 + 4 // header, name, type and class
			answer := slices.Concat(b[:2], []byte{0x84, 0, 0, 1, 0, 1, 0, 0, 0, 0}, b[12:end])
			answer = append(answer, 0xc0, 12, 0, 33, 0, 1, 0, 0, 0, 5, 0, 12, 0, 0, 0, 0, 0x20, 0xfb, 2, 'd', '1', 1, 'x', 0)
			c.WriteTo(answer, from)
		}
	}()
	resolver := &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "udp", c.LocalAddr().String())
	}}
	got, err := SRV{"_ccee._tcp.internal.", resolver}.Find(patience.Context(t))
	if err != nil || !slices.Equal(got, []string{"d1.x:8443"}) {
		t.Errorf("Find = %v, %v, want d1.x:8443", got, err)
	}
}
