// SPDX-License-Identifier: Apache-2.0

package api

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ccee-dev/ccee/api/auth"
	"github.com/ccee-dev/ccee/queue"
)

// answering is an Authenticator that says the same to everybody.
type answering struct {
	auth.Authenticator
	who auth.Principal
	err error

	promising, proven bool
}

func (a answering) Judge(http.Header) (promising, proven bool) { return a.promising, a.proven }

func (a answering) Authenticate(context.Context, http.Header) (auth.Principal, error) {
	return a.who, a.err
}

func TestScopes(t *testing.T) {
	scopes := auth.Scopes{}
	s := newStack(t, nil)
	with := func(scope auth.Scope) {
		scopes = auth.Scopes{scope}
		s.server.opts.Auth = answering{who: auth.Principal{Tenant: s.tenant, Type: "api_key", Scopes: scopes, Policy: auth.Policy{MaxConcurrentJobs: 9, MaxDailyJobs: 9}}}
	}
	forbidden := `{"error":"forbidden","reason":"missing_scope","traceId":"test-trace"}`
	with(auth.Read)
	s.post("/v1/jobs", helloPython).want(t, 403, forbidden)
	s.do("DELETE", "/v1/jobs/x", "", nil).want(t, 403, forbidden)
	if a := s.get("/v1/jobs"); a.status != 200 {
		t.Errorf("reading: %d", a.status)
	}
	with(auth.Submit)
	s.get("/v1/jobs").want(t, 403, forbidden)
	s.submit(helloPython)
	with(auth.Admin)
	s.get("/v1/quotas").want(t, 403, forbidden)
}

func TestRefusals(t *testing.T) {
	s := newStack(t, nil)
	for _, tt := range []struct {
		err    error
		status int
		want   string
	}{
		{&auth.Refusal{Reason: auth.InvalidJWT}, 401, `{"error":"unauthorized","reason":"invalid_jwt","traceId":"test-trace"}`},
		{&auth.Refusal{Reason: auth.UnknownTenantPolicy}, 403, `{"error":"forbidden","reason":"unknown_tenant_policy","traceId":"test-trace"}`},
		{fmt.Errorf("x: %w", auth.ErrUnavailable), 503, `{"error":"unavailable","reason":"jwks_unreachable","traceId":"test-trace"}`},
	} {
		s.server.opts.Auth = answering{err: tt.err}
		a := s.get("/v1/jobs")
		a.want(t, tt.status, tt.want)
		if (a.header.Get("Retry-After") != "") != (tt.status == 503) || a.header.Get("X-Ratelimit-Limit") != "" {
			t.Errorf("%v: headers %v", tt.err, a.header)
		}
	}
	s.server.opts.Auth = answering{err: errors.New("broken")}
	if a := s.get("/v1/jobs"); a.status != 500 {
		t.Errorf("a fault of ours: %d, want 500", a.status)
	}
}

func TestAdminRoutes(t *testing.T) {
	s := newStack(t, nil)
	for _, rt := range []struct{ method, path string }{
		{"GET", "/v1/admin/metrics"}, {"POST", "/v1/admin/runbook/dlq"}, {"POST", "/v1/admin/simulate/burst"},
	} {
		for key, tt := range map[string]struct {
			status int
			code   string
		}{"": {401, "admin_auth_missing"}, "tight-key": {403, "admin_forbidden"}, "unmapped-key": {403, "admin_key_not_mapped"}} {
			trace := unique("admin-trace")
			a := s.do(rt.method, rt.path, "", http.Header{"X-Api-Key": {key}, "X-Request-Id": {trace}})
			a.want(t, tt.status, `{"error":"`+tt.code+`","traceId":"`+trace+`"}`)
			events, err := s.queue.Events(t.Context(), "unknown", "", 100)
			if err != nil {
				t.Fatal(err)
			}
			audited := slices.ContainsFunc(events, func(e queue.Event) bool { return strings.Contains(string(e.Metadata), `"`+trace+`"`) })
			if want := tt.code != "admin_key_not_mapped"; audited != want {
				t.Errorf("%s %s: %s is audited: %v, want %v", rt.method, rt.path, tt.code, audited, want)
			}
			if a.header.Get("X-Ratelimit-Limit") != "" {
				t.Errorf("%s %s: an operator's route has rate headers", rt.method, rt.path)
			}
		}
	}
	s.submit(helloPython)
	delay(t, s)
	bury(t, s)
	a := s.get("/v1/admin/metrics")
	if a.status != 200 || a.at("status") != "ok" || a.at("ecs") != nil || a.at("updatedAt") == nil ||
		!strings.Contains(a.raw, `"queue":{"pending":2,"counts":{"waiting":1,"active":0,"delayed":1,`) ||
		!strings.Contains(a.raw, `"dlq":{"pending":1,"counts":{"waiting":1,"active":0,"delayed":0,"paused":0,"failed":0,"completed":0}}`) ||
		!strings.Contains(a.raw, `"autoscaling":{"queueDepthTarget":25}`) {
		t.Errorf("%d %s", a.status, a.raw)
	}
	s.post("/v1/admin/runbook/dlq", "").want(t, 503, `{"error":"dlq_replay_not_configured","traceId":"test-trace"}`)
}

func TestBurst(t *testing.T) {
	// The tenant may have two jobs at once and three a day, which is nothing to a burst.
	s := newStack(t, func(o *Options) { o.BurstMax = 20 })
	s.server.opts.Auth = gate(t, auth.APIKeyMode, nil, `["`+testKey+`"]`, `{"`+testKey+`": {"tenantId": "`+s.tenant+`", "maxConcurrentJobs": 2, "maxDailyJobs": 3}}`)
	a := s.post("/v1/admin/simulate/burst", `{"count":" 0x3 "}`)
	if a.status != 200 || a.at("count") != 3.0 || a.at("status") != "queued" || len(a.at("burstId").(string)) != 36 {
		t.Fatalf("%d %s", a.status, a.raw)
	}
	if a := s.post("/v1/admin/simulate/burst", ""); a.at("count") != 20.0 {
		t.Errorf("by default: %s, want 20", a.raw)
	}
	if a := s.get("/v1/quotas"); !strings.Contains(a.raw, `"activeJobs":23,"dailyJobs":23`) {
		t.Errorf("quotas %s, want 23 jobs", a.raw)
	}
	l := claim(t, s.queue)
	if l.Job.Source != "print(1)" || l.Job.Language != "python" || l.Request.MemoryMb != 128 {
		t.Errorf("the first job is %+v", l.Job)
	}
	var actions []string
	for _, e := range s.get("/v1/audit").at("events").([]any) {
		e := e.(map[string]any)
		actions = append(actions, e["action"].(string))
		if m := e["metadata"].(map[string]any); e["action"] == "admin_burst_submitted" {
			actions = append(actions, fmt.Sprint(m["count"], " ", m["burstId"] == a.at("burstId"), " ", m["traceId"]))
		}
	}
	if got := strings.Join(actions, ", "); got != "job_running, admin_burst_submitted, 20 false test-trace, admin_burst_submitted, 3 true test-trace" {
		t.Errorf("audit: %s", got)
	}
	for body, message := range map[string]string{
		`{"count":0}`: "Number must be greater than or equal to 1", `{"count":21}`: "Number must be less than or equal to 20",
		`{"count":null}`: "Number must be greater than or equal to 1", `{"count":[]}`: "Expected number, received nan", `{"count":1.5}`: "Expected integer, received float",
	} {
		s.post("/v1/admin/simulate/burst", body).want(t, 400,
			fmt.Sprintf(`{"error":"validation_error","traceId":"test-trace","issues":{"formErrors":[],"fieldErrors":{"count":[%q]}}}`, message))
	}
}

// A flood of wrong keys is answered with 429 after a while, is audited in part, and does not lock the address's good keys out.
func TestStrangersAreLimited(t *testing.T) {
	s := newStack(t, nil)
	now := time.Unix(1_000_000_020, 0)
	s.server.authFailures.now = func() time.Time { return now }
	bad := http.Header{"X-Api-Key": {"wrong"}}
	for i := range failureLimit {
		if a := s.do("GET", "/v1/jobs", "", bad); a.status != 401 {
			t.Fatalf("failure %d: %d, want 401", i+1, a.status)
		}
	}
	a := s.do("GET", "/v1/jobs", "", bad)
	a.want(t, 429, `{"error":"rate_limited","traceId":"test-trace","limit":600,"used":601,"retryAfterSeconds":60,"windowSeconds":60}`)
	if a.header.Get("Retry-After") != "60" {
		t.Errorf("retry-after %q", a.header.Get("Retry-After"))
	}
	if a := s.get("/v1/jobs"); a.status != 200 {
		t.Errorf("a good key of the same address: %d, want 200", a.status)
	}
	s.server.opts.Auth = answering{err: errors.New("a token was verified")}
	if a := s.do("GET", "/v1/jobs", "", http.Header{"Authorization": {"Bearer x"}}); a.status != 429 {
		t.Errorf("a token of that address: %d, want 429 before it is verified", a.status)
	}
	// One that may be good is verified, while not too much time went into bad ones; one that was good, always.
	ask := func(a answering, want int) {
		t.Helper()
		s.server.opts.Auth = a
		if a := s.do("GET", "/v1/jobs", "", http.Header{"Authorization": {"Bearer x"}}); a.status != want {
			t.Errorf("a token: %d, want %d", a.status, want)
		}
	}
	good := auth.Principal{Tenant: s.tenant, Scopes: auth.Scopes{auth.Read}}
	ask(answering{who: good, promising: true}, 200)
	ask(answering{err: &auth.Refusal{Reason: auth.InvalidJWT}, promising: true}, 429)
	if addr := s.server.clientAddr(&http.Request{RemoteAddr: "192.0.2.1:1"}); s.server.authFailures.spent[addr] <= 0 {
		t.Error("verifying a bad token took no time of the address")
	}
	s.server.authFailures.spend(s.server.clientAddr(&http.Request{RemoteAddr: "192.0.2.1:1"}), verifyTime)
	ask(answering{who: good, promising: true}, 429)
	ask(answering{who: good, promising: true, proven: true}, 200)
	s.server.opts.Auth = answering{err: &auth.Refusal{Reason: auth.InvalidJWT}}
	now = now.Add(failureWindow)
	if a := s.do("GET", "/v1/jobs", "", bad); a.status != 401 {
		t.Errorf("in the next window: %d, want 401", a.status)
	}
}

func TestStrangersAreBounded(t *testing.T) {
	s := newAuthFailures()
	now := time.Unix(0, 0)
	s.now = func() time.Time { return now }
	audited, unlisted := 0, 0
	for i := range 2 * failureTable {
		_, audit, n := s.add(netip.AddrFrom4([4]byte{byte(i >> 24), byte(i >> 16), byte(i >> 8), byte(i)}))
		if audit {
			audited++
		}
		unlisted += n
	}
	if len(s.failed) > failureTable+1 || audited != hourlyAudits || unlisted != 0 {
		t.Errorf("%d addresses, %d audited; want at most %d and %d", len(s.failed), audited, failureTable+1, hourlyAudits)
	}
	now = now.Add(failureWindow)
	if n, _ := s.count(netip.MustParseAddr("1.2.3.4")); n != 0 || len(s.failed) != 0 {
		t.Errorf("in the next window: %d failures, %d addresses", n, len(s.failed))
	}
}

func TestClientAddr(t *testing.T) {
	s := &Server{opts: Options{TrustedProxies: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}}}
	for _, tt := range []struct {
		peer string
		xff  []string
		want string
	}{
		{"1.2.3.4:5", nil, "1.2.3.4"},
		{"1.2.3.4:5", []string{"9.9.9.9"}, "1.2.3.4"}, // not a proxy of ours: anybody can write that header
		{"10.0.0.1:5", []string{"9.9.9.9"}, "9.9.9.9"},
		{"10.0.0.1:5", []string{"6.6.6.6, 9.9.9.9, 10.0.0.2"}, "9.9.9.9"},
		{"10.0.0.1:5", []string{"6.6.6.6", "9.9.9.9"}, "9.9.9.9"},
		{"10.0.0.1:5", []string{"6.6.6.6, junk"}, "10.0.0.1"},
		{"10.0.0.1:5", nil, "10.0.0.1"},
		{"[::ffff:1.2.3.4]:5", nil, "1.2.3.4"},
		{"[2001:db8:1:2:3:4:5:6]:5", nil, "2001:db8:1:2::"},
		{"@", nil, "invalid IP"},
	} {
		if got := s.clientAddr(&http.Request{RemoteAddr: tt.peer, Header: http.Header{"X-Forwarded-For": tt.xff}}).String(); got != tt.want {
			t.Errorf("%s %q: %s, want %s", tt.peer, tt.xff, got, tt.want)
		}
	}
}

func TestAuthFailedIsAudited(t *testing.T) {
	s := newStack(t, nil)
	s.do("POST", "/executions", "", http.Header{"X-Api-Key": {"wrong"}})
	events, err := s.queue.Events(t.Context(), "", "", 1)
	if err != nil || len(events) != 1 || events[0].Action != "auth_failed" || events[0].Tenant != "" ||
		string(events[0].Metadata) != `{"method":"POST","path":"/executions","reason":"invalid_api_key","traceId":"test-trace"}` {
		t.Errorf("%+v, %v", events, err)
	}
}

// However often somebody without a credential calls, they take only a few places of the audit of all tenants. The next entry has how many
// got none.
func TestFailuresDoNotFloodTheAudit(t *testing.T) {
	s := newStack(t, nil)
	now := time.Now().Truncate(failureWindow)
	s.server.authFailures.now = func() time.Time { return now }
	bad := http.Header{"X-Api-Key": {"wrong"}}
	before, err := s.queue.Events(t.Context(), "", "", 1000) // of other tests
	if err != nil {
		t.Fatal(err)
	}
	for range failureAudits + 20 {
		s.do("GET", "/v1/jobs", "", bad)
	}
	now = now.Add(failureWindow)
	s.do("GET", "/v1/jobs", "", bad)
	events, err := s.queue.Events(t.Context(), "", "", 1000)
	if n := len(events) - len(before); err != nil || n != failureAudits+1 {
		t.Fatalf("%d entries, %v; want %d", n, err, failureAudits+1)
	}
	if !strings.Contains(string(events[0].Metadata), `"unlisted":20}`) || strings.Contains(string(events[1].Metadata), "unlisted") {
		t.Errorf("the newest entries: %s, %s; want 20 unlisted, and none", events[0].Metadata, events[1].Metadata)
	}
	for range 4 * hourlyAudits {
		now = now.Add(failureWindow / 5) // 48 minutes in all
		s.do("GET", "/v1/jobs", "", bad)
	}
	events, err = s.queue.Events(t.Context(), "", "", 1000)
	if n := len(events) - len(before); err != nil || n != hourlyAudits {
		t.Errorf("after an hour of failures: %d entries, %v; want %d", n, err, hourlyAudits)
	}
}
