// SPDX-License-Identifier: Apache-2.0

package api

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ccee-dev/ccee/api/auth"
	"github.com/ccee-dev/ccee/e2e/patience"
	"github.com/ccee-dev/ccee/queue"
)

// Callers with tokens are not locked out by those who try bad ones from the same address (RFC 5737's, that of all requests of a test).
func TestBadTokensLockNobodyOut(t *testing.T) {
	s, token := hybridStack(t)
	if a := s.do("GET", "/v1/quotas", "", token); a.status != 200 {
		t.Fatal(a.raw)
	}
	now := time.Now()
	s.server.authFailures.now = func() time.Time { return now } // all in one window
	signed := strings.Split(token.Get("Authorization"), ".")
	refused := map[int]int{}
	for i := range failureLimit + 100 {
		bad := []string{"Bearer junk", "Bearer " + strings.Repeat("A", 5000), signed[0] + "." + signed[1] + "." + strings.Repeat("A", 86)}[i%3]
		refused[s.do("GET", "/v1/quotas", "", http.Header{"X-Api-Key": nil, "Authorization": {bad}}).status]++
	}
	if refused[401] != failureLimit || refused[429] != 100 {
		t.Errorf("bad tokens: %v, want %d times 401 and 100 times 429", refused, failureLimit)
	}
	if a := s.do("GET", "/v1/quotas", "", token); a.status != 200 {
		t.Errorf("a token that was good before: %d %s", a.status, a.raw)
	}
	if a := s.do("GET", "/v1/quotas", "", nil); a.status != 200 {
		t.Errorf("a good key: %d %s", a.status, a.raw)
	}
}

// A path element that can't be the id of a job finds nothing: neither another key of what is stored, nor a fault of Redis.
func TestIDsThatAreNone(t *testing.T) {
	s := newStack(t, nil)
	id := s.submit(strings.Replace(helloPython, "{", `{"webhook":{"url":"https://example.com","secret":"0123456789abcdef"},`, 1))
	lease := claim(t, s.queue)
	emit(t, lease, stdout(0, "x"))
	if err := complete(lease, exited(0, "")); err != nil {
		t.Fatal(err)
	}
	d, err := s.queue.ClaimDelivery(patience.Context(t), queue.Deliverer{Worker: "w", Busy: func() queue.Busy { return queue.Busy{} }})
	if err == nil {
		err = s.queue.Delivered(t.Context(), d, queue.DeliveryAttempt{At: time.Now(), Attempt: 1, StatusCode: 500}, time.Hour)
	}
	if err != nil || d.JobID != id {
		t.Fatal(d, err)
	}
	s.log.Reset() // Redis has two keys that begin with the job's, and are of other types
	for _, rt := range s.server.routes() {
		if !strings.Contains(rt.path, ":jobId") || rt.access == anyone {
			continue
		}
		for _, bad := range []string{id + ":events", id + ":deliveries", id + "%3Aevents", id + "%20x", id + "%00", id + "*", strings.Repeat("a", 129), "..%2f" + id, id + "%0a"} {
			a := s.do(rt.method, strings.ReplaceAll(rt.path, ":jobId", bad), "", nil)
			if a.status != 404 || a.at("error") != "not_found" {
				t.Errorf("%s %s of %q: %d %s, want 404", rt.method, rt.path, bad, a.status, a.raw)
			}
		}
	}
	if strings.Contains(s.log.String(), "queue_unreachable") {
		t.Errorf("the log has an alarm: %.500s", s.log)
	}
}

// A credential that is only for submitting sees nothing of what jobs print, on any route, whoever submitted them.
func TestSubmitScopeReadsNothing(t *testing.T) {
	s := newStack(t, nil)
	reader := s.server.opts.Auth
	const secret = "OUTPUT-SECRET"
	key := http.Header{"Idempotency-Key": {"k"}}
	one := s.do("POST", "/v1/jobs", helloPython, key).at("jobId").(string)
	if err := complete(claim(t, s.queue), exited(1, secret)); err != nil {
		t.Fatal(err)
	}
	taken := s.submit(helloPython)
	r := exited(0, secret)
	r.Status = "cancelled"
	if err := complete(claim(t, s.queue), r); err != nil {
		t.Fatal(err)
	}
	s.server.opts.Auth = answering{who: auth.Principal{Tenant: s.tenant, Type: "api_key", Scopes: auth.Scopes{auth.Submit}, Policy: auth.Policy{MaxConcurrentJobs: 99, MaxDailyJobs: 99}}}
	for _, id := range []string{one, taken} {
		for _, rt := range s.server.routes() {
			if rt.access != tenants && rt.access != countsItself || strings.HasSuffix(rt.path, "/data") {
				continue
			}
			body, header := "", http.Header(nil)
			if rt.method == "POST" && !strings.Contains(rt.path, ":jobId") {
				body, header = helloPython, key
			}
			if rt.path == "/v1/batch" {
				body = `{"jobs":[` + helloPython + `]}`
			}
			a := s.do(rt.method, strings.ReplaceAll(rt.path, ":jobId", id)+"?waitMs=1", body, header)
			if strings.Contains(a.raw, "SECRET") || strings.Contains(a.raw, `"result"`) || strings.Contains(a.raw, `"analysis"`) {
				t.Errorf("%s %s shows %s", rt.method, rt.path, a.raw)
			}
			if analyze := strings.HasSuffix(rt.path, "/analyze"); (a.status == 403) != (rt.method == "GET" || analyze) {
				t.Errorf("%s %s: %d %s", rt.method, rt.path, a.status, a.raw)
			}
		}
	}
	s.do("DELETE", "/v1/jobs/"+taken, "", nil).want(t, 200, fmt.Sprintf(`{"jobId":%q,"executionId":%q,"traceId":"test-trace","status":"cancelled"}`, taken, taken))
	s.server.opts.Auth = reader
	if a := s.do("DELETE", "/v1/jobs/"+taken, "", nil); !strings.Contains(a.raw, secret) {
		t.Errorf("who may read sees %s", a.raw)
	}
}

// revocable turns callers away from some moment on.
type revocable struct {
	auth.Authenticator
	revoked *atomic.Bool
}

func (r revocable) Authenticate(ctx context.Context, h http.Header) (auth.Principal, error) {
	if r.revoked.Load() {
		return auth.Principal{}, &auth.Refusal{Reason: auth.InvalidAPIKey}
	}
	return r.Authenticator.Authenticate(ctx, h)
}

// A stream ends within a beat of the revocation of its key, and a request that waits shows nothing then.
func TestRevocationEndsWhatIsOpen(t *testing.T) {
	s := newStack(t, nil)
	revoked := &atomic.Bool{}
	s.server.opts.Auth = revocable{s.server.opts.Auth, revoked}
	s.server.beat = 1e6 // a millisecond
	id := s.submit(helloPython)
	l := listen(t, openOn(t, s), id, nil)
	l.want("job")
	revoked.Store(true)
	for e := l.next(); ; e = l.next() {
		if e.name == "error" {
			if !strings.Contains(fmt.Sprint(e), "unauthorized") {
				t.Errorf("the stream ends with %v", e)
			}
			break
		}
		if e.name == "" {
			t.Fatal("the stream ends without a reason")
		}
	}
	if e := l.next(); e.name != "" {
		t.Errorf("behind the end: %v", e)
	}
	revoked.Store(false)
	arrived := make(chan struct{}, 1)
	s.server.opts.Auth = announcing{s.server.opts.Auth, arrived}
	go func() { <-arrived; revoked.Store(true); <-arrived }()
	if a := s.get("/v1/jobs/" + id + "?waitMs=1500"); a.status != 401 {
		t.Errorf("a request that waited: %d %s, want 401", a.status, a.raw)
	}
}

// scripts is how many scripts the tests' Redis has run.
func (s *stack) scripts() (n int64) {
	s.t.Helper()
	c, err := net.Dial("unix", shared.Socket())
	if err != nil {
		s.t.Fatal(err)
	}
	defer c.Close()
	if _, err := io.WriteString(c, "INFO commandstats\r\nQUIT\r\n"); err != nil {
		s.t.Fatal(err)
	}
	stats, err := io.ReadAll(c)
	if err != nil {
		s.t.Fatal(err)
	}
	_, calls, there := strings.Cut(string(stats), "cmdstat_evalsha:calls=")
	if !there {
		s.t.Fatalf("no scripts in %s", stats)
	}
	calls, _, _ = strings.Cut(calls, ",")
	n, err = strconv.ParseInt(calls, 10, 64)
	if err != nil {
		s.t.Fatal(err)
	}
	return n
}

// However often anybody asks what needs no credential, Redis is asked once in a while.
func TestUnauthenticatedIsCheap(t *testing.T) {
	s := newStack(t, nil)
	for path, most := range map[string]int64{"/health/summary": 4, "/ready": 4, "/v1/runtimes": 4, "/v1/observability/summary": 4, "/health": 0} {
		before, began := s.scripts(), time.Now()
		for range 100 {
			if a := s.get(path); a.status != 200 {
				t.Fatal(a.raw)
			}
		}
		if most > 0 { // what was read is a second old at most; on a busy machine the requests take longer
			most += most * int64(time.Since(began)/time.Second)
		}
		if n := s.scripts() - before; n > most {
			t.Errorf("100 times %s in %s: %d scripts, want at most %d", path, time.Since(began), n, most)
		}
	}
}
