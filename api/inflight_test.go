// SPDX-License-Identifier: Apache-2.0

package api

import (
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ccee-dev/ccee/api/webhook"
	"github.com/ccee-dev/ccee/e2e/patience"
	"github.com/ccee-dev/ccee/job"
	"github.com/ccee-dev/ccee/queue"
)

// receivers are servers on addresses of the loopback that accept webhooks and never answer.
type receivers struct {
	arrived chan string // the address that one has come to
	now     atomic.Int64
	most    atomic.Int64 // at once
	ended   atomic.Int64 // given up by the sender
}

// listen starts a receiver on an address of its own and returns its URL.
func (r *receivers) listen(t *testing.T, addr string) string {
	t.Helper()
	l, err := net.Listen("tcp", addr+":0")
	if err != nil {
		t.Fatal(err)
	}
	srv := &httptest.Server{Listener: l, Config: &http.Server{Handler: http.HandlerFunc(func(_ http.ResponseWriter, req *http.Request) {
		r.most.Store(max(r.most.Load(), r.now.Add(1)))
		r.arrived <- addr
		<-req.Context().Done()
		r.now.Add(-1)
		r.ended.Add(1)
	})}}
	srv.Start()
	t.Cleanup(srv.CloseClientConnections)
	return srv.URL
}

func hookStack(t *testing.T) *stack {
	return newStack(t, func(o *Options) {
		o.Webhooks = webhook.Policy{HTTP: true, Nets: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}}
	})
}

// finish has a tenant's job finished whose webhook goes to url.
func (s *stack) finish(t *testing.T, tenant, url string) {
	t.Helper()
	_, err := s.queue.Submit(t.Context(), queue.Submission{
		Spec: job.Spec{ID: unique("job"), Tenant: tenant, Language: "python", Source: "x"}, Request: queue.Request{TimeoutMs: 3000},
		MaxAttempts: 1, MaxConcurrent: 10, MaxDaily: 1000, Webhook: queue.Webhook{URL: url, Secret: hookSecret},
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := complete(claim(t, s.queue), exited(0, "")); err != nil {
		t.Fatal(err)
	}
}

// deliveryOf is how long the webhook of one job of that tenant takes, to a server that answers at once.
func (s *stack) deliveryOf(t *testing.T, tenant string) time.Duration {
	t.Helper()
	h := newHookServer(t, func(int) int { return 204 })
	began := time.Now()
	s.finish(t, tenant, h.URL)
	patience.Receive(t, h.got, "the webhook is delivered")
	return time.Since(began)
}

// However many slow receivers one tenant has, another one's webhook comes while all of them are still waited for.
func TestSlowWebhooksOfOneTenant(t *testing.T) {
	s := hookStack(t)
	serve(t, s)
	a, b := unique("a"), unique("b")
	alone := s.deliveryOf(t, b)
	slow := &receivers{arrived: make(chan string, 200)}
	for i := range 100 {
		s.finish(t, a, slow.listen(t, fmt.Sprintf("127.0.1.%d", i+1)))
	}
	patience.Receive(t, slow.arrived, "the first of a's webhooks")
	before := slow.ended.Load()
	took := s.deliveryOf(t, b)
	t.Logf("b's webhook took %v alone, and %v behind 100 slow ones of a, of which %d were under way", alone, took, slow.most.Load())
	if n := slow.ended.Load() - before; n > 0 {
		t.Errorf("b's webhook came when %d of a's had been given up", n)
	}
	if n := slow.most.Load(); n > 8 { // 33 percent of 24
		t.Errorf("%d of a's were under way at once, want at most 8", n)
	}
}

// One receiver has two deliveries at once, whoever sends: many tenants that point at a slow one don't take all places.
func TestSlowWebhooksOfManyTenants(t *testing.T) {
	s := hookStack(t)
	slow := &receivers{arrived: make(chan string, 200)}
	url := slow.listen(t, "127.0.0.1")
	for range 60 {
		s.finish(t, unique("tenant"), url)
	}
	serve(t, s)
	for range 2 {
		patience.Receive(t, slow.arrived, "a webhook comes to the slow receiver")
	}
	took := s.deliveryOf(t, unique("b"))
	t.Logf("b's webhook took %v behind 60 tenants that point at one slow receiver", took)
	if n := slow.ended.Load(); n > 0 {
		t.Errorf("b's webhook came when %d of the others' had been given up", n)
	}
	if n := slow.most.Load(); n != 2 {
		t.Errorf("%d were sent to one receiver at once, want 2", n)
	}
}

func TestDeliveriesUnderWay(t *testing.T) {
	d := newInFlight()
	at := time.Now()
	full := func() int { return len(d.busy(at).Tenants) }
	for n := range 8 {
		if full() != 0 {
			t.Errorf("a tenant alone has its part with %d deliveries", n)
		}
		d.begin("a", fmt.Sprint("host-", n))
	}
	if b := d.busy(at); len(b.Tenants) != 1 || b.Tenants[0] != "a" || len(b.Hosts) != 0 {
		t.Errorf("%+v, want that a has its part", b)
	}
	d.begin("b", "host-0")
	if b := d.busy(at); len(b.Hosts) != 1 || b.Hosts["host-0"] != 0 {
		t.Errorf("%+v, want that host-0 has enough", b)
	}
	d.end("b", "host-0")
	d.end("a", "host-0")
	if b := d.busy(at); len(b.Tenants)+len(b.Hosts) != 0 {
		t.Errorf("%+v, want nothing", b)
	}
	patience.Receive(t, d.changed, "word of the end")
	// With each tenant there is less for the next, and there is some for many.
	d = newInFlight()
	tenants := 0
	for ; d.tenants.All() < maxDeliveries; tenants++ {
		name := fmt.Sprint("tenant-", tenants)
		for !slices.Contains(d.busy(at).Tenants, name) {
			d.begin(name, "")
		}
	}
	if tenants < 7 {
		t.Errorf("%d tenants take all places, want at least 7", tenants)
	}
}

func TestSlowHosts(t *testing.T) {
	d := newInFlight()
	at := time.Now()
	for _, want := range []time.Duration{10 * time.Second, 20 * time.Second, 40 * time.Second, 80 * time.Second, 160 * time.Second, 5 * time.Minute, 5 * time.Minute} {
		d.answered("slow", false, at)
		if got := d.busy(at).Hosts["slow"]; got != want {
			t.Errorf("put off for %v, want %v", got, want)
		}
	}
	if _, there := d.busy(at.Add(6 * time.Minute)).Hosts["slow"]; there {
		t.Error("it is put off when its pause is over")
	}
	d.answered("slow", true, at)
	if _, there := d.busy(at).Hosts["slow"]; there {
		t.Error("it is put off though it answered")
	}
	for n := range 2 * maxSlowHosts {
		d.answered(fmt.Sprint(n), false, at.Add(time.Duration(n)))
	}
	if n := len(d.busy(at).Hosts); n != maxSlowHosts {
		t.Errorf("%d slow hosts are known, want %d", n, maxSlowHosts)
	}
}

func TestRedeliverLimit(t *testing.T) {
	s := newStack(t, func(o *Options) { o.RedeliverLimit, o.RateWindow = 2, time.Hour })
	id := s.submit(`{"language":"python","sourceCode":"x","webhook":{"url":"https://example.com","secret":"` + hookSecret + `"}}`)
	if err := complete(claim(t, s.queue), exited(0, "")); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if a := s.post("/v1/jobs/"+id+"/deliveries", ""); a.status != 202 {
			t.Fatalf("%d %s", a.status, a.raw)
		}
	}
	a := s.post("/v1/jobs/"+id+"/deliveries", "")
	retry := a.wait(t, time.Hour)
	a.want(t, 429, fmt.Sprintf(`{"error":"redelivery_rate_limited","traceId":"test-trace","limit":2,"used":3,"retryAfterSeconds":%d,"windowSeconds":3600}`, retry))
}
