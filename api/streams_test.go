// SPDX-License-Identifier: Apache-2.0

package api

import (
	"context"
	"github.com/ccee-dev/ccee/api/live"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// An EventSource that is never closed (https://html.spec.whatwg.org/multipage/server-sent-events.html) stays away after done: one more
// request, whose answer is 204.
func TestEventsStayAway(t *testing.T) {
	s := newStack(t, nil)
	url := openOn(t, s)
	id := s.submit(helloPython)
	if err := complete(claim(t, s.queue), exited(0, "hello\n")); err != nil {
		t.Fatal(err)
	}
	dones, last := 0, ""
	for requests := 1; ; requests++ {
		l := listen(t, url, id, http.Header{"Last-Event-Id": {last}})
		if l.resp.StatusCode == http.StatusNoContent {
			if dones != 1 || requests != 2 {
				t.Errorf("done came %d times in %d requests, want once in 2", dones, requests)
			}
			return
		}
		if l.resp.StatusCode != 200 || requests > 2 {
			t.Fatalf("request %d: %s", requests, l.resp.Status)
		}
		for e := l.next(); e.name != ""; e = l.next() {
			if e.name == "done" {
				dones++
			}
		}
		last = l.last
	}
}

// A stream whose job can't be read any more says why, and ends.
func TestEventsErrors(t *testing.T) {
	for code, gone := range map[string]func(*stack, *watched){
		"not_found":     func(_ *stack, w *watched) { w.id = "gone" },
		"stream_failed": func(s *stack, _ *watched) { _ = s.queue.Close() },
	} {
		s := newStack(t, nil)
		id := s.submit(helloPython)
		rec, err := s.queue.Get(t.Context(), s.tenant, id)
		if err != nil {
			t.Fatal(err)
		}
		w, r := httptest.NewRecorder(), httptest.NewRequest("GET", "/", nil)
		c := s.server.begin(w, r, nil, "")
		c.trace, c.who.Tenant = "test-trace", s.tenant
		source := &watched{s.server, c, id}
		gone(s, source)
		changed := make(chan struct{}, 1)
		changed <- struct{}{}
		st := &live.Stream{Source: source, ID: id, Trace: c.trace, Log: c.log, Beat: time.Hour, Changed: changed}
		st.Begin(w, r)
		st.Run(r.Context(), rec, c.releaseAnswer)
		if want := "event: error\ndata: {\"error\":\"" + code + "\",\"traceId\":\"test-trace\"}\n\n"; !strings.HasSuffix(w.Body.String(), want) {
			t.Errorf("%s: the stream ends with %s", code, w.Body)
		}
	}
}

// A place in the table of streams comes back however a stream ends: a tenant never runs out of them by using them.
func TestEventsGiveTheirPlacesBack(t *testing.T) {
	s := newStack(t, nil)
	url := openOn(t, s)
	over := s.submit(helloPython)
	if err := complete(claim(t, s.queue), exited(0, "")); err != nil {
		t.Fatal(err)
	}
	for range live.TenantStreams + 1 { // by the end of the job
		l := listen(t, url, over, nil)
		if l.resp.StatusCode != 200 {
			t.Fatal(l.resp.Status)
		}
		for e := l.next(); e.name != ""; e = l.next() {
		}
	}
	open := s.submit(helloPython)
	for range live.TenantStreams + 1 { // by a client that leaves
		ctx, leave := context.WithCancel(t.Context())
		r := httptest.NewRequestWithContext(ctx, "GET", "/v1/jobs/"+open+"/events", nil)
		r.Header.Set("X-Api-Key", testKey)
		w := leaving{httptest.NewRecorder(), leave}
		s.server.ServeHTTP(w, r)
		if w.Code != 200 {
			t.Fatal(w.Code)
		}
	}
	for range live.TenantStreams + 1 { // by one that only asks for the head
		if a := s.do("HEAD", "/v1/jobs/"+open+"/events", "", nil); a.status != 200 {
			t.Fatal(a.status)
		}
	}
	if n := s.server.streams.Taken(); n != 0 {
		t.Errorf("%d places are taken", n)
	}
}

// leaving is a client that leaves when it gets the first piece.
type leaving struct {
	*httptest.ResponseRecorder
	leave func()
}

func (l leaving) Write(b []byte) (int, error) {
	l.leave()
	return l.ResponseRecorder.Write(b)
}

// While nothing happens a comment comes, so that nobody on the way takes the connection for dead.
func TestEventsHeartbeat(t *testing.T) {
	s := newStack(t, nil)
	s.server.beat = time.Millisecond
	l := listen(t, openOn(t, s), s.submit(helloPython), nil)
	l.want("job")
	for range 3 {
		if line, err := l.in.ReadString('\n'); err != nil || !strings.HasPrefix(line, ":") {
			t.Fatalf("%q, %v, want a comment", line, err)
		}
		if line, err := l.in.ReadString('\n'); err != nil || line != "\n" {
			t.Fatalf("%q, %v, want the end of the comment", line, err)
		}
	}
	if live.Heartbeat != 15*time.Second {
		t.Errorf("a beat is %s, openapi.yaml says 15 s", live.Heartbeat)
	}
}
