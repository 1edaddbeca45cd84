// SPDX-License-Identifier: Apache-2.0

package api

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"maps"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/ccee-dev/ccee/api/live"
	"github.com/ccee-dev/ccee/e2e/patience"
	"github.com/ccee-dev/ccee/e2e/redistest"
	"github.com/ccee-dev/ccee/job"
	"github.com/ccee-dev/ccee/queue"
)

// sse is one event as a client reads it.
type sse struct {
	name, id string
	data     map[string]any
}

// listening is a client of a stream of events.
type listening struct {
	t    *testing.T
	resp *http.Response
	in   *bufio.Reader
	last string // the last id
	over bool   // its end was told
}

// openOn serves the stack on the loopback and returns the address.
func openOn(t *testing.T, s *stack) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error)
	go func() { done <- s.server.Serve(ctx, l) }()
	t.Cleanup(func() {
		cancel()
		if err := patience.Receive(t, done, "Serve returns"); err != nil {
			t.Error(err)
		}
	})
	return "http://" + l.Addr().String()
}

func listen(t *testing.T, url, id string, header http.Header) *listening {
	t.Helper()
	req, err := http.NewRequestWithContext(patience.Context(t), "GET", url+"/v1/jobs/"+id+"/events", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header = http.Header{"X-Api-Key": {testKey}, "X-Request-Id": {"test-trace"}}
	maps.Copy(req.Header, header)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	// What never comes is a failure, and not the end of the whole package's time.
	late := time.AfterFunc(30*time.Second, func() { resp.Body.Close() })
	t.Cleanup(func() { late.Stop(); resp.Body.Close() })
	return &listening{t: t, resp: resp, in: bufio.NewReader(resp.Body)}
}

// next returns the next event; one without a name at the end of the stream. Comments are passed over.
func (l *listening) next() sse {
	l.t.Helper()
	var e sse
	for {
		line, err := l.in.ReadString('\n')
		if err == io.EOF && line == "" && !l.over {
			l.over = true
			return sse{}
		}
		if err != nil {
			l.t.Fatal(err)
		}
		field, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), ": ")
		switch field {
		case "event":
			e.name = value
		case "id":
			e.id, l.last = value, value
		case "data":
			if err := json.Unmarshal([]byte(value), &e.data); err != nil {
				l.t.Fatalf("data %s: %v", value, err)
			}
		case "":
			if value == "" && e.name != "" {
				return e
			}
		}
	}
}

// want checks the name of the next event and returns its data.
func (l *listening) want(name string) map[string]any {
	l.t.Helper()
	e := l.next()
	if e.name != name {
		l.t.Fatalf("the event is %q %v, want %q", e.name, e.data, name)
	}
	return e.data
}

func emit(t *testing.T, l *queue.Lease, events ...job.Event) {
	t.Helper()
	if err := l.Emit(t.Context(), events); err != nil {
		t.Fatal(err)
	}
}

func stdout(offset int64, text string) job.Event {
	return job.Event{Type: job.EventStdout, Step: "run", Offset: offset, Data: []byte(text)}
}

func TestEvents(t *testing.T) {
	s := newStack(t, nil)
	url := openOn(t, s)
	id := s.submit(helloPython)
	l := listen(t, url, id, nil)
	for name, want := range map[string]string{
		"Content-Type": "text/event-stream; charset=utf-8", "Cache-Control": "no-cache, no-transform", "X-Accel-Buffering": "no", "X-Request-Id": "test-trace",
	} {
		if got := l.resp.Header.Get(name); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	if d := l.want("job"); d["status"] != "queued" || d["executionId"] != id {
		t.Errorf("job %v", d)
	}
	lease := claim(t, s.queue)
	if d := l.want("job"); d["status"] != "running" {
		t.Errorf("job %v", d)
	}
	emit(t, lease, job.Event{Type: job.EventStarted, Step: "run"}, stdout(0, "one\n"))
	if d := l.want("stdout"); d["text"] != "one\n" || d["step"] != "run" || d["attempt"] != 1.0 || d["offset"] != 0.0 || d["skipped"] != 0.0 {
		t.Errorf("stdout %v", d)
	}
	// A second one comes later and has everything.
	late := listen(t, url, id, nil)
	late.want("stdout")
	late.want("job")
	// A character in two pieces is told as one.
	emit(t, lease, stdout(4, "t\xe2\x82"))
	if d := l.want("stdout"); d["text"] != "t" {
		t.Errorf("stdout %v", d)
	}
	emit(t, lease, stdout(7, "\xac!"))
	if d := l.want("stdout"); d["text"] != "€!" || d["offset"] != 5.0 {
		t.Errorf("stdout %v", d)
	}
	cut := l.last
	l.resp.Body.Close()
	// What was not told while it ran is told at the end, and after it.
	if err := complete(lease, exited(0, "one\nt€!end")); err != nil {
		t.Fatal(err)
	}
	again := listen(t, url, id, http.Header{"Last-Event-Id": {cut}})
	for _, l := range []*listening{again, late} {
		var text strings.Builder
		for {
			e := l.next()
			if e.name != "stdout" {
				if e.name != "job" || e.data["status"] != "succeeded" {
					t.Errorf("event %+v, want the job", e)
				}
				break
			}
			text.WriteString(e.data["text"].(string))
		}
		if want := map[*listening]string{again: "end", late: "t€!end"}[l]; text.String() != want {
			t.Errorf("text %q, want %q", text.String(), want)
		}
		if d := l.want("done"); d["status"] != "succeeded" || d["jobId"] != id || d["executionId"] != id || d["traceId"] != "test-trace" {
			t.Errorf("done %v", d)
		}
		if e := l.next(); e.name != "" {
			t.Errorf("after done: %+v", e)
		}
	}
}

// A job that was over before anything was told of it is told from its result.
func TestEventsOfFinishedJob(t *testing.T) {
	s := newStack(t, nil)
	url := openOn(t, s)
	id := s.submit(helloPython)
	if err := complete(claim(t, s.queue), exited(3, "a\xffb")); err != nil {
		t.Fatal(err)
	}
	l := listen(t, url, id, nil)
	if d := l.want("stdout"); d["text"] != "a\ufffdb" || d["base64"] != "Yf9i" {
		t.Errorf("stdout %v", d)
	}
	l.want("job")
	if d := l.want("done"); d["status"] != "failed" {
		t.Errorf("done %v", d)
	}
	// One that lost the connection before done comes back for it; one that heard of it is told that there is no more.
	before, ok := strings.CutSuffix(l.last, ".done")
	if !ok {
		t.Fatalf("the id of done is %q", l.last)
	}
	again := listen(t, url, id, http.Header{"Last-Event-Id": {before}})
	again.want("job")
	again.want("done")
	for _, last := range []string{l.last, again.last} {
		a := s.do("GET", "/v1/jobs/"+id+"/events", "", http.Header{"Last-Event-Id": {last}, "Origin": {"http://localhost:3000"}})
		if a.status != http.StatusNoContent || a.raw != "" {
			t.Errorf("after done: %d %s, want 204", a.status, a.raw)
		}
		if a := s.do("GET", "/v1/jobs/"+id+"/events?lastEventId="+last, "", nil); a.status != http.StatusNoContent {
			t.Errorf("after done, by the query: %d %s, want 204", a.status, a.raw)
		}
	}
	// Another tenant's, or one that is gone, is as unknown as before.
	if a := s.do("GET", "/v1/jobs/"+id+"/events", "", http.Header{"Last-Event-Id": {l.last}, "X-Api-Key": {"tight-key"}}); a.status != 404 {
		t.Errorf("another tenant's: %d, want 404", a.status)
	}
	// Of a job that isn't over no done was told: it goes on.
	other := listen(t, url, s.submit(helloPython), http.Header{"Last-Event-Id": {l.last}})
	other.want("job")
}

func TestEventsOfRetriedJob(t *testing.T) {
	redistest.Require(t)
	name := unique("queue")
	q, err := queue.Open(shared.URL(), queue.Options{Name: name, DeadLetterName: name + "-dlq", RetryBackoff: time.Millisecond, RetryMaxDelay: time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = q.Close() })
	announce(t, q, time.Hour, languages)
	s := newStackOn(t, q, nil)
	url := openOn(t, s)
	id := s.submit(`{"language":"python","sourceCode":"x","tests":[{},{}]}`)
	first := claim(t, s.queue)
	emit(t, first, stdout(0, "first"), job.Event{Type: job.EventTest, Test: 1, Verdict: job.Accepted})
	l := listen(t, url, id, nil)
	if d := l.want("stdout"); d["attempt"] != 1.0 || d["text"] != "first" {
		t.Errorf("stdout %v", d)
	}
	if d := l.want("test"); d["attempt"] != 1.0 || d["number"] != 1.0 {
		t.Errorf("test %v", d)
	}
	seen := l.last
	l.want("job")
	if state, err := first.Retry(t.Context(), queue.Fault{Message: "x", Cause: "x"}); err != nil || state != queue.Retrying {
		t.Fatal(state, err)
	}
	second := claim(t, s.queue)
	emit(t, second, stdout(0, "second"), stdout(10, "on"), job.Event{Type: job.EventTest, Test: 1, Verdict: job.Accepted})
	for _, from := range []http.Header{nil, {"Last-Event-Id": {seen}}} { // from the beginning, and from the attempt before
		again := listen(t, url, id, from)
		if from == nil {
			again.want("stdout")
			again.want("test")
		}
		if d := again.want("stdout"); d["attempt"] != 2.0 || d["offset"] != 0.0 || d["text"] != "second" {
			t.Errorf("stdout %v", d)
		}
		if d := again.want("stdout"); d["attempt"] != 2.0 || d["offset"] != 10.0 || d["skipped"] != 4.0 {
			t.Errorf("stdout %v", d)
		}
		if d := again.want("test"); d["attempt"] != 2.0 || d["number"] != 1.0 {
			t.Errorf("test %v", d)
		}
	}
}

func TestEventsEnd(t *testing.T) {
	s := newStack(t, nil)
	url := openOn(t, s)
	for name, end := range map[string]func(id string){
		"cancelled": func(id string) { _, _ = s.queue.Cancel(t.Context(), s.tenant, id) },
	} {
		id := s.submit(helloPython)
		l := listen(t, url, id, nil)
		l.want("job")
		end(id)
		if d := l.want("job"); d["status"] != name {
			t.Errorf("%s: %v", name, d)
		}
		if d := l.want("done"); d["status"] != name {
			t.Errorf("%s: %v", name, d)
		}
	}
}

func TestEventsRefuse(t *testing.T) {
	s := newStack(t, nil)
	s.get("/v1/jobs/unknown/events").want(t, 404, `{"error":"not_found","traceId":"test-trace"}`)
	id := s.submit(helloPython)
	if a := s.do("GET", "/v1/jobs/"+id+"/events", "", http.Header{"X-Api-Key": {"tight-key"}}); a.status != 404 {
		t.Errorf("another tenant's: %d, want 404", a.status)
	}
	for _, last := range []string{"x", "1", "1.2.3", "-1.0.0.0.0.0", "1.1.0.0.0.0.0 ", "1.1.0.0.0.0", "1.1.0.0.0.0.0.0", ".done", "1.1.0.0.0.0.0.done.done", "1.1.0.0.0.0.0.Done", "01.1.0.0.0.0.0"} {
		if a := s.do("GET", "/v1/jobs/"+id+"/events", "", http.Header{"Last-Event-Id": {last}}); a.status != 400 {
			t.Errorf("id %q: %d %s, want 400", last, a.status, a.raw)
		}
	}
	for range live.TenantStreams {
		s.server.streams.Take(s.tenant)
	}
	if a := s.get("/v1/jobs/" + id + "/events"); a.status != 429 || a.at("error") != "too_many_streams" || a.header.Get("Retry-After") == "" {
		t.Errorf("one stream too many: %d %s", a.status, a.raw)
	}
	s.server.streams.Give(s.tenant)
	if !s.server.streams.Take(s.tenant) || s.server.streams.Take(s.tenant) {
		t.Error("a place that was given back can be taken once")
	}
}

func TestEventsHead(t *testing.T) {
	s := newStack(t, nil)
	id := s.submit(helloPython)
	a := s.do("HEAD", "/v1/jobs/"+id+"/events", "", nil)
	if a.status != 200 || a.header.Get("Content-Type") != "text/event-stream; charset=utf-8" {
		t.Errorf("%d %v", a.status, a.header)
	}
}

func TestEventsRedirect(t *testing.T) {
	s := newStack(t, nil)
	for target, want := range map[string]string{
		"/executions/abc/events": "/v1/jobs/abc/events", "/executions/a%20b/events?x=1": "/v1/jobs/a%20b/events?x=1",
		"/executions/a%0d%0aX-Evil:1/events": "/v1/jobs/a%0D%0AX-Evil:1/events",
	} {
		a := s.do("GET", target, "", http.Header{"X-Api-Key": nil})
		if a.status != 307 || a.header.Get("Location") != want {
			t.Errorf("%s: %d to %q, want 307 to %q", target, a.status, a.header.Get("Location"), want)
		}
	}
}

// A server that stops lets streams end; the client goes on with another one.
func TestEventsDrain(t *testing.T) {
	s := newStack(t, nil)
	url := openOn(t, s)
	l := listen(t, url, s.submit(helloPython), nil)
	l.want("job")
	s.server.drain()
	if e := l.next(); e.name != "" {
		t.Errorf("event %+v, want the end", e)
	}
}
