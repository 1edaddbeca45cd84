// SPDX-License-Identifier: Apache-2.0

package api

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"testing"
	"time"

	"context"

	"github.com/ccee-dev/ccee/api/webhook"
	"github.com/ccee-dev/ccee/e2e/patience"
	"github.com/ccee-dev/ccee/queue"
)

// hookServer is a receiver of webhooks; it answers with what status returns.
type hookServer struct {
	*httptest.Server
	got chan *http.Request // with the body read into its context
}

type bodyKey struct{}

func newHookServer(t *testing.T, status func(n int) int) *hookServer {
	h := &hookServer{got: make(chan *http.Request, 10)}
	n := 0
	h.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		n++
		w.WriteHeader(status(n))
		h.got <- r.WithContext(context.WithValue(context.Background(), bodyKey{}, body))
	}))
	t.Cleanup(h.Close)
	return h
}

// serve runs the server with all that it does in the background.
func serve(t *testing.T, s *stack) {
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
}

const hookSecret = "0123456789abcdef"

func TestWebhook(t *testing.T) {
	s := newStack(t, func(o *Options) {
		o.Webhooks = webhook.Policy{HTTP: true, Nets: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}}
	})
	h := newHookServer(t, func(n int) int { return map[int]int{1: 500}[n] + map[bool]int{true: 204}[n > 1] })
	serve(t, s)
	id := s.submit(`{"language":"python","sourceCode":"x","webhook":{"url":"` + h.URL + `/done","secret":"` + hookSecret + `"}}`)
	if err := complete(claim(t, s.queue), exited(0, "<hello>\n")); err != nil {
		t.Fatal(err)
	}
	var event struct {
		Type string
		Data json.RawMessage
	}
	receive := func() {
		t.Helper()
		r := patience.Receive(t, h.got, "the webhook is delivered")
		body := r.Context().Value(bodyKey{}).([]byte)
		at := r.Header.Get("Webhook-Timestamp")
		if r.Header.Get("Webhook-Signature") != "v1,"+webhook.Sign(hookSecret, id, at, body) || r.Header.Get("Webhook-Id") != id {
			t.Errorf("headers %v", r.Header)
		}
		if err := json.Unmarshal(body, &event); err != nil || event.Type != "job.finished" {
			t.Errorf("body %s", body)
		}
	}
	receive()
	a := s.get("/v1/jobs/" + id)
	if string(event.Data) != a.raw {
		t.Errorf("the job in the webhook is\n%s\nGET says\n%s", event.Data, a.raw)
	}
	// The first attempt failed; asked for, there is another at once.
	attempts := func(want int) (ds []any) {
		t.Helper()
		patience.Until(t, fmt.Sprintf("%d attempts are told", want), func() (bool, string) {
			a := s.get("/v1/jobs/" + id + "/deliveries")
			ds, _ = a.at("deliveries").([]any)
			return len(ds) >= want, a.raw
		})
		return ds
	}
	first := attempts(1)[0].(map[string]any)
	next, _ := time.Parse(time.RFC3339, first["nextAt"].(string))
	at, _ := time.Parse(time.RFC3339, first["at"].(string))
	if first["statusCode"] != 500.0 || first["error"] != nil || next.Sub(at) != 5*time.Second {
		t.Errorf("the first attempt: %v", first)
	}
	if a := s.post("/v1/jobs/"+id+"/deliveries", ""); a.status != 202 {
		t.Errorf("redeliver: %d %s", a.status, a.raw)
	}
	receive()
	if second := attempts(2)[1].(map[string]any); second["statusCode"] != 204.0 || second["nextAt"] != nil || second["attempt"] != 1.0 {
		t.Errorf("the second attempt: %v", second)
	}
}

// An attempt that our own shutdown breaks off is none: nothing is recorded, and another process makes it again.
func TestShutdownInTheMiddleOfADelivery(t *testing.T) {
	s := newStack(t, func(o *Options) {
		o.Webhooks = webhook.Policy{HTTP: true, Nets: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}}
	})
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	h := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		stop()
		<-r.Context().Done()
	}))
	t.Cleanup(h.Close)
	id := s.submit(`{"language":"python","sourceCode":"x","webhook":{"url":"` + h.URL + `","secret":"` + hookSecret + `"}}`)
	if err := complete(claim(t, s.queue), exited(0, "")); err != nil {
		t.Fatal(err)
	}
	d, err := s.queue.ClaimDelivery(patience.Context(t), queue.Deliverer{Worker: "w", Busy: func() queue.Busy { return queue.Busy{} }})
	if err != nil || d.JobID != id {
		t.Fatal(d, err)
	}
	s.server.deliverOne(ctx, d)
	if a := s.get("/v1/jobs/" + id + "/deliveries"); a.status != 200 || len(a.at("deliveries").([]any)) != 0 {
		t.Errorf("%d %s, want no attempt", a.status, a.raw)
	}
}

func TestWebhookOfOthers(t *testing.T) {
	s := newStack(t, nil)
	id := s.submit(`{"language":"python","sourceCode":"x","webhook":{"url":"https://example.com","secret":"` + hookSecret + `"}}`)
	plain := s.submit(helloPython)
	for _, method := range []string{"GET", "POST"} {
		s.do(method, "/v1/jobs/"+plain+"/deliveries", "", nil).want(t, 404, `{"error":"not_found","traceId":"test-trace"}`)
		if a := s.do(method, "/v1/jobs/"+id+"/deliveries", "", http.Header{"X-Api-Key": {"tight-key"}}); a.status != 404 {
			t.Errorf("%s of another tenant's: %d, want 404", method, a.status)
		}
	}
	s.post("/v1/jobs/"+id+"/deliveries", "").want(t, 409, `{"error":"job_unfinished","traceId":"test-trace"}`)
}

func TestWebhookIssues(t *testing.T) {
	s := newStack(t, nil)
	for hook, want := range map[string]string{
		`3`:                             `"Expected object, received number"`,
		`{"secret":"0123456789abcdef"}`: `"url: Required"`,
		`{"url":"https://example.com"}`: `"secret: Required"`,
		`{"url":"https://example.com","secret":"short"}`:                  `"secret: String must contain at least 16 character(s)"`,
		`{"url":"http://example.com","secret":"0123456789abcdef"}`:        `"url: must be an https URL"`,
		`{"url":"https://169.254.169.254/","secret":"0123456789abcdef"}`:  `"url: the address is not public"`,
		`{"url":"https://example.com","secret":"0123456789abcdef","x":1}`: `"Unrecognized key(s) in object: 'x'"`,
	} {
		s.post("/v1/jobs", `{"language":"python","sourceCode":"x","webhook":`+hook+`}`).want(t, 400,
			`{"error":"validation_error","traceId":"test-trace","issues":{"formErrors":[],"fieldErrors":{"webhook":[`+want+`]}}}`)
	}
}
