// SPDX-License-Identifier: Apache-2.0

package api

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/rs/zerolog"

	"github.com/ccee-dev/ccee/api/auth"
	"github.com/ccee-dev/ccee/e2e/patience"
)

// slowBody is a client that has sent the head of a request, and some of its body.
type slowBody struct {
	net.Conn
	t *testing.T
}

// half sends a request to the API at url and sent bytes of its body of 1 MiB. key "" is a stranger's.
func half(t *testing.T, url, path, key string, chunked bool, sent int) slowBody {
	t.Helper()
	c, err := net.Dial("tcp", strings.TrimPrefix(url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	head := "POST " + path + " HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
	if key != "" {
		head += "X-Api-Key: " + key + "\r\n"
	}
	body := strings.Repeat(" ", sent)
	if chunked {
		head += "Transfer-Encoding: chunked\r\n\r\n"
	} else {
		head += fmt.Sprintf("Content-Length: %d\r\n\r\n", maxBody)
	}
	if chunked && sent > 0 { // an empty chunk is the end
		body = fmt.Sprintf("%x\r\n%s\r\n", sent, body)
	}
	if _, err := io.WriteString(c, head+body); err != nil {
		t.Fatal(err)
	}
	return slowBody{c, t}
}

// answer returns the status that the client is told at last.
func (b slowBody) answer() int {
	b.t.Helper()
	status := b.status()
	if status == 0 {
		b.t.Fatal("the connection ended without an answer")
	}
	return status
}

// status is answer for where the connection may end first: then it is 0.
func (b slowBody) status() int {
	resp, err := http.ReadResponse(bufio.NewReader(b), nil)
	if err != nil {
		return 0
	}
	resp.Body.Close()
	return resp.StatusCode
}

// tenantsOf gives each of n tenants a key: its name.
func tenantsOf(n int) (keys string, names []string) {
	for i := range n {
		names = append(names, unique("tenant"))
		keys += fmt.Sprintf(`,%q:{"tenantId":%q,"maxConcurrentJobs":1000}`, names[i], names[i])
	}
	return "{" + keys[1:] + "}", names
}

// Those who send slowly hold what they have sent, of their own part: nobody else notices, however they send.
func TestSlowBodiesOfOneTenant(t *testing.T) {
	keys, names := tenantsOf(41)
	for name, tt := range map[string]struct {
		path    string
		slow    []string // keys
		each    int      // connections
		chunked bool
		sent    int   // bytes of each
		held    int64 // in all at most
	}{
		"announced":           {"/v1/jobs", names[:1], 60, false, 1, 0},
		"half sent":           {"/v1/jobs", names[:1], 60, false, 600_000, tenantBodies / 4},
		"chunked":             {"/executions", names[:1], 60, true, 600_000, tenantBodies / 4},
		"batch":               {"/v1/batch", names[:1], 60, true, 600_000, tenantBodies / 4},
		"many tenants":        {"/v1/jobs", names[:40], 5, false, 600_000, tenantBodies},
		"strangers":           {"/v1/jobs", []string{""}, 60, false, 600_000, anonymousBodies / 4},
		"no operators":        {"/v1/admin/simulate/burst", names[:1], 60, true, 600_000, anonymousBodies / 4},
		"a body nobody reads": {"/v1/jobs/x/analyze", names[:1], 60, false, 600_000, tenantBodies / 4},
	} {
		t.Run(name, func(t *testing.T) {
			s := newStack(t, func(o *Options) {
				o.Log = zerolog.Nop()
				o.Auth = gate(t, auth.APIKeyMode, nil, `[]`, keys)
			})
			s.server.patience = time.Hour
			url := openOn(t, s)
			budget := s.server.bodies
			if tt.held == anonymousBodies/4 {
				budget = s.server.anonymousBodies
			}
			held := budget.taken
			for _, key := range tt.slow {
				for range tt.each {
					half(t, url, tt.path, key, tt.chunked, tt.sent)
				}
			}
			if tt.held > 0 {
				patience.Until(t, "slow bodies take room", func() (bool, string) {
					return held() > tt.held/4, fmt.Sprint(held())
				})
			}
			if n := held(); n > tt.held {
				t.Errorf("%d bytes are held, want at most %d", n, tt.held)
			}
			other := http.Header{"X-Api-Key": {names[40]}}
			for _, size := range []int{20_000, 200_000} {
				if a := s.do("POST", "/v1/jobs", sized(size), other); a.status != 202 {
					t.Errorf("another tenant's %d bytes: %d %s, want 202", size, a.status, a.raw)
				}
			}
			if tt.held == tenantBodies/4 {
				// Its part has room for 11 of them; which one finds none depends on when the others gave up.
				answers := make(chan int, 12)
				for range cap(answers) {
					more := half(t, url, tt.path, tt.slow[0], tt.chunked, maxBody-1)
					go func() { answers <- more.status() }()
				}
				if status := patience.Receive(t, answers, "an answer to one more of the slow tenant's"); status != 503 {
					t.Errorf("one more of the slow tenant's: %d, want 503", status)
				}
			}
		})
	}
}

// Who sends slowlier than the least pace is told so, and holds nothing then: to repeat it gains nothing.
func TestSlowBodiesEnd(t *testing.T) {
	s := newStack(t, func(o *Options) { o.Log = zerolog.Nop() })
	url, stop := serveOn(t, s)
	defer stop()
	var slow []slowBody
	began := time.Now()
	for _, chunked := range []bool{false, true} {
		slow = append(slow, half(t, url, "/v1/jobs", testKey, chunked, 100_000), half(t, url, "/v1/jobs", testKey, chunked, 1),
			half(t, url, "/v1/jobs/x/rerun", testKey, chunked, 0)) // chunked: it is looked at whether it is empty
	}
	for i, b := range slow {
		if status := b.answer(); status != http.StatusRequestTimeout {
			t.Errorf("slow body %d: %d, want 408", i, status)
		}
	}
	if took := time.Since(began); took < paceGrace {
		t.Errorf("after %v, want the grace of %v at least", took, paceGrace)
	}
	patience.Until(t, "the room is given back", func() (bool, string) {
		return s.server.bodies.taken() == 0, fmt.Sprint(s.server.bodies.taken())
	})
}

func TestPace(t *testing.T) {
	start := time.Unix(0, 0)
	for n, want := range map[int64]time.Duration{0: 5 * time.Second, 64 << 10: 6 * time.Second, 640 << 10: 15 * time.Second, 1 << 30: 20 * time.Second} {
		if got := paceDeadline(start, n, readTimeout).Sub(start); got != want {
			t.Errorf("%d bytes must have come after %v, want %v", n, got, want)
		}
	}
}

// deadlines is the connection of a request, which notes until when may be read from it.
type deadlines struct {
	*httptest.ResponseRecorder
	read []time.Time
}

func (d *deadlines) SetReadDeadline(t time.Time) error {
	d.read = append(d.read, t)
	return nil
}

// Before each read of a body its connection gets the deadline of the pace, long before the server's own, and at the end none.
func TestBodiesAreRead(t *testing.T) {
	s := newStack(t, nil)
	d := &deadlines{ResponseRecorder: httptest.NewRecorder()}
	r := httptest.NewRequest("POST", "/v1/jobs", iotest.OneByteReader(strings.NewReader(helloPython)))
	r.Header = http.Header{"Content-Type": {"application/json"}, "X-Api-Key": {testKey}}
	r.ContentLength = int64(len(helloPython))
	began := time.Now()
	s.server.ServeHTTP(d, r)
	if d.Code != http.StatusAccepted || len(d.read) < len(helloPython) {
		t.Fatalf("%d %s, with %d deadlines", d.Code, d.Body, len(d.read))
	}
	for i, at := range d.read[:len(helloPython)] {
		if wait := at.Sub(began); wait < paceGrace || wait > paceGrace+time.Since(began)+time.Second {
			t.Errorf("read %d may wait until %v after the start, want %v", i, wait, paceGrace)
		}
	}
	if last := d.read[len(d.read)-1]; !last.IsZero() {
		t.Errorf("the deadline at the end is %v, want none", last)
	}
}
