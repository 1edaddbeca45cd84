// SPDX-License-Identifier: Apache-2.0

package webhook

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/ccee-dev/ccee/e2e/patience"
)

var loopback = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}

func TestSend(t *testing.T) {
	var got *http.Request
	var body []byte
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got = r
		body, _ = io.ReadAll(r.Body)
		w.WriteHeader(http.StatusNoContent)
	}))
	defer srv.Close()
	m := Message{ID: "job-1", URL: srv.URL + "/x?y=z", Secret: "0123456789abcdef", Body: []byte(`{"a":1}`)}
	out := NewSender(Policy{Nets: loopback, HTTP: true}).Send(t.Context(), m)
	if !out.OK || out.StatusCode != 204 || out.Error != "" {
		t.Fatalf("%+v", out)
	}
	at := got.Header.Get("Webhook-Timestamp")
	if got.Method != "POST" || got.URL.String() != "/x?y=z" || string(body) != `{"a":1}` || got.Header.Get("Webhook-Id") != "job-1" ||
		got.Header.Get("Webhook-Signature") != "v1,"+Sign(m.Secret, "job-1", at, m.Body) {
		t.Errorf("%s %s %v %s", got.Method, got.URL, got.Header, body)
	}
}

// The vector was computed with Python's hmac module.
const signVector = "T49pOLi9Y59Pd0W8q5zvP9qTIc61pr4XaCUOi3i6Wj4="

func TestSign(t *testing.T) {
	if got := Sign("secret", "msg_1", "1614265330", []byte(`{"test": 2432232314}`)); got != signVector {
		t.Errorf("Sign = %s, want %s", got, signVector)
	}
}

func TestOutcomes(t *testing.T) {
	hits := 0
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/redirect":
			http.Redirect(w, r, "/followed", http.StatusFound)
		case "/followed":
			hits++
		case "/later":
			w.Header().Set("Retry-After", "7200")
			w.WriteHeader(http.StatusServiceUnavailable)
		case "/gone":
			w.WriteHeader(http.StatusGone)
		case "/cut":
			conn, _, _ := w.(http.Hijacker).Hijack()
			conn.Close()
		case "/endless":
			for r.Context().Err() == nil {
				if _, err := w.Write(make([]byte, 64<<10)); err != nil {
					return
				}
			}
		}
	}))
	defer srv.Close()
	s := NewSender(Policy{Nets: loopback, HTTP: true})
	for path, want := range map[string]struct {
		status int
		err    string
		again  time.Duration
	}{
		"/":         {200, "", 0},
		"/redirect": {302, "", 5 * time.Second},
		"/later":    {503, "", time.Hour},
		"/gone":     {410, "", 0},
		"/cut":      {0, "the connection failed before there was an answer", 5 * time.Second},
		"/endless":  {200, "", 0},
	} {
		out := s.Send(t.Context(), Message{URL: srv.URL + path, Secret: "s"})
		if out.StatusCode != want.status || out.Error != want.err || Delay(1, out) != want.again {
			t.Errorf("%s: %+v, again in %v, want %+v", path, out, Delay(1, out), want)
		}
	}
	if hits != 0 {
		t.Error("a redirect was followed")
	}
	srv.Close()
	s = NewSender(Policy{Nets: loopback, HTTP: true}) // without a connection to what was there
	if out := s.Send(t.Context(), Message{URL: srv.URL}); out.OK || out.Error != "no connection" {
		t.Errorf("nobody there: %+v", out)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if out := s.Send(ctx, Message{URL: "http://127.0.0.1:1"}); out.OK {
		t.Errorf("ended: %+v", out)
	}
}

func TestDelays(t *testing.T) {
	var total time.Duration
	for n := 1; ; n++ {
		d := Delay(n, Outcome{})
		if d == 0 {
			if n != len(delays)+1 {
				t.Errorf("%d attempts", n)
			}
			break
		}
		total += d
	}
	if total > 9*time.Hour || total < 8*time.Hour {
		t.Errorf("all attempts take %v, the contract says within nine hours", total)
	}
	if Delay(0, Outcome{}) != 0 {
		t.Error("attempt 0")
	}
}

// What a tenant must not reach through us, however it is written.
func TestGuard(t *testing.T) {
	for _, addr := range []string{
		"127.0.0.1", "127.255.255.254", "0.0.0.0", "10.0.0.1", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.100.100.200", "224.0.0.1",
		"255.255.255.255", "198.18.0.1", "192.0.0.192", "::1", "::", "::ffff:127.0.0.1", "::ffff:169.254.169.254", "::127.0.0.1", "fe80::1",
		"fc00::1", "fd00:ec2::254", "ff02::1", "64:ff9b::7f00:1", "2002:7f00:1::", "2001:0:7f00:1::", "fec0::1", "fe80::1%eth0",
	} {
		a := netip.MustParseAddr(addr)
		if (guard{}).permits(a) {
			t.Errorf("%s may be reached", addr)
		}
		if err := (guard{}).control("tcp", netip.AddrPortFrom(a, 443).String(), nil); err == nil {
			t.Errorf("%s is connected to", addr)
		}
	}
	for _, addr := range []string{"1.1.1.1", "8.8.8.8", "52.95.110.1", "2606:4700:4700::1111", "::ffff:1.1.1.1"} {
		if !(guard{}).permits(netip.MustParseAddr(addr)) {
			t.Errorf("%s may not be reached", addr)
		}
	}
	if !(guard{loopback}).permits(netip.MustParseAddr("::ffff:127.0.0.1")) {
		t.Error("an allowed network may not be reached")
	}
}

// A name that leads inside is found when it is connected to, not when it is read.
func TestSendGuards(t *testing.T) {
	srv := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("it was reached") }))
	defer srv.Close()
	port := srv.URL[strings.LastIndex(srv.URL, ":")+1:]
	for _, host := range []string{"localhost", "127.0.0.1", "0x7f.1", "2130706433", "[::ffff:127.0.0.1]", "0"} {
		out := NewSender(Policy{HTTP: true}).Send(t.Context(), Message{URL: fmt.Sprintf("http://%s:%s/", host, port)})
		if out.OK || out.StatusCode != 0 || out.Error == "" {
			t.Errorf("%s: %+v, want no connection", host, out)
		}
	}
}

func TestCheck(t *testing.T) {
	p := Policy{}
	for url, ok := range map[string]bool{
		"https://example.com/x?y": true, "https://example.com:8443": true, "https://1.1.1.1/": true,
		"http://example.com": false, "ftp://example.com": false, "example.com": false, "": false, "https://": false, "https://:443/": false,
		"https://user:pw@example.com": false, "https://example.com/#x": false, "https://127.0.0.1/": false, "https://[::1]/": false,
		"https://169.254.169.254/latest": false, "https://e\x00": false, "https://example.com/" + strings.Repeat("x", 2048): false,
		"file:///etc/passwd": false, "https:example.com": false, "//example.com": false,
	} {
		if err := p.Check(url); (err == nil) != ok {
			t.Errorf("%.80q: %v, want ok %v", url, err, ok)
		}
	}
	if err := (Policy{HTTP: true, Nets: loopback}).Check("http://127.0.0.1:8000/"); err != nil {
		t.Errorf("allowed: %v", err)
	}
}

func FuzzCheck(f *testing.F) {
	f.Add("https://example.com/x")
	f.Add("http://[::1%25eth0]:80/")
	f.Fuzz(func(t *testing.T, s string) {
		if (Policy{}).Check(s) == nil && !strings.HasPrefix(strings.ToLower(s), "https://") {
			t.Errorf("%q was taken", s)
		}
	})
}

// A receiver that sends its answer byte by byte holds a delivery no longer than one that doesn't answer.
func TestTrickle(t *testing.T) {
	gone := make(chan struct{}, 2)
	drip := func(w io.Writer, r *http.Request) {
		tick := time.NewTicker(5 * time.Millisecond)
		defer tick.Stop()
		for r.Context().Err() == nil {
			<-tick.C
			if _, err := w.Write([]byte("x")); err != nil {
				break
			}
			if f, ok := w.(http.Flusher); ok {
				f.Flush()
			}
		}
		gone <- struct{}{}
	}
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/body" {
			drip(w, r)
			return
		}
		conn, _, _ := w.(http.Hijacker).Hijack()
		defer conn.Close()
		_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\nX-Slow: ")
		drip(conn, r.WithContext(context.Background()))
	}))
	defer srv.Close()
	s := NewSender(Policy{Nets: loopback, HTTP: true})
	began := time.Now()
	if out := s.Send(t.Context(), Message{URL: srv.URL + "/body"}); !out.OK || out.TimedOut {
		t.Errorf("a slow body: %+v, want it delivered", out)
	}
	if took := time.Since(began); took > Timeout/2 {
		t.Errorf("a slow body was read for %v", took)
	}
	patience.Receive(t, gone, "the sender hangs up on a slow body")
	s.client.Timeout = 200 * time.Millisecond
	if out := s.Send(t.Context(), Message{URL: srv.URL + "/head"}); out.OK || !out.TimedOut {
		t.Errorf("a slow head: %+v, want that it timed out", out)
	}
	patience.Receive(t, gone, "the sender hangs up on a slow head")
}
