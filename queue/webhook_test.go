// SPDX-License-Identifier: Apache-2.0

package queue

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/ccee-dev/ccee/e2e/patience"
)

// hooked makes a finished job with a webhook.
func hooked(t *testing.T, q *Queue, tenant string) string {
	t.Helper()
	s := submission(tenant, unique("job"))
	s.Webhook = Webhook{URL: "https://example.com/x", Secret: "0123456789abcdef"}
	enqueueSub(t, q, s)
	if err := claim(t, q, "w").Complete(t.Context(), outcome("x")); err != nil {
		t.Fatal(err)
	}
	return s.Spec.ID
}

func claimDelivery(t *testing.T, q *Queue) Delivery {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience.Long())
	defer cancel()
	d, err := q.ClaimDelivery(ctx, Deliverer{Worker: "d"})
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// again is a request of that tenant for another delivery.
func again(tenant string) RateRequest {
	return RateRequest{Tenant: tenant, Limit: 100, Window: time.Minute}
}

// noDelivery checks that nothing is due before the given time.
func noDelivery(t *testing.T, q *Queue, before time.Duration) {
	t.Helper()
	r, err := q.list(t.Context(), q.steps.webhookClaim, 2, "", 60_000)
	if err != nil || integer(r[0]) != 0 || integer(r[1]) >= 0 && integer(r[1]) < before.Milliseconds() {
		t.Errorf("claim: %v, %v, want nothing due for %v", r, err, before)
	}
}

func TestWebhookIsDueAtTheEnd(t *testing.T) {
	q, tenant := newQueue(t, Options{}), unique("tenant")
	enqueue(t, q, tenant) // without one
	if err := claim(t, q, "w").Complete(t.Context(), outcome("x")); err != nil {
		t.Fatal(err)
	}
	noDelivery(t, q, 0)
	id := hooked(t, q, tenant)
	d := claimDelivery(t, q)
	if d.JobID != id || d.Tenant != tenant || d.Attempt != 1 || d.Webhook.URL != "https://example.com/x" || d.Webhook.Secret != "0123456789abcdef" {
		t.Errorf("delivery %+v", d)
	}
	noDelivery(t, q, deliveryLease/2) // it is ours for a while
	if err := q.Delivered(t.Context(), d, DeliveryAttempt{Attempt: 1, StatusCode: 500}, time.Hour); err != nil {
		t.Fatal(err)
	}
	noDelivery(t, q, time.Hour/2)
	if err := q.Delivered(t.Context(), d, DeliveryAttempt{Attempt: 2, StatusCode: 200}, 0); err != nil {
		t.Fatal(err)
	}
	noDelivery(t, q, 24*time.Hour)
	hook, log, err := q.Deliveries(t.Context(), tenant, id)
	if err != nil || hook.URL != "https://example.com/x" || hook.Secret != "" || len(log) != 2 || log[0].StatusCode != 500 || log[1].StatusCode != 200 {
		t.Errorf("deliveries %+v %+v, %v", hook, log, err)
	}
	if ttl := q.rdb.TTL(t.Context(), q.keys.deliveries(id)).Val(); ttl <= 0 || ttl > q.opts.JobTTL {
		t.Errorf("the log expires in %v, want with the job", ttl)
	}
}

// A waiting deliverer is woken by the end of a job, by a cancelled one too.
func TestWebhookWakes(t *testing.T) {
	q, tenant := newQueue(t, Options{}), unique("tenant")
	got := make(chan Delivery)
	go func() { got <- claimDelivery(t, q) }()
	s := submission(tenant, unique("job"))
	s.Webhook = Webhook{"https://example.com/x", "0123456789abcdef"}
	enqueueSub(t, q, s)
	if _, err := q.Cancel(t.Context(), tenant, s.Spec.ID); err != nil {
		t.Fatal(err)
	}
	if d := patience.Receive(t, got, "a delivery comes"); d.JobID != s.Spec.ID {
		t.Errorf("delivery %+v, want of the cancelled job", d)
	}
}

func TestRedeliver(t *testing.T) {
	q, tenant := newQueue(t, Options{}), unique("tenant")
	id := hooked(t, q, tenant)
	d := claimDelivery(t, q)
	if err := q.Delivered(t.Context(), d, DeliveryAttempt{Attempt: 1, Error: "x"}, 0); err != nil {
		t.Fatal(err)
	}
	if err := q.Redeliver(t.Context(), again(tenant), id); err != nil {
		t.Fatal(err)
	}
	if d := claimDelivery(t, q); d.JobID != id || d.Attempt != 1 {
		t.Errorf("again: %+v, want the first attempt", d)
	}
	waits := submission(tenant, unique("job"))
	waits.Webhook = Webhook{"https://example.com/x", "0123456789abcdef"}
	enqueueSub(t, q, waits)
	for _, tt := range []struct {
		tenant, id string
		want       error
	}{
		{tenant, waits.Spec.ID, ErrUnfinished}, {unique("other"), id, ErrNotFound}, {tenant, unique("job"), ErrNotFound},
		{tenant, enqueue(t, q, tenant), ErrNoWebhook},
	} {
		if err := q.Redeliver(t.Context(), again(tt.tenant), tt.id); !errors.Is(err, tt.want) {
			t.Errorf("%s of %s: %v, want %v", tt.id, tt.tenant, err, tt.want)
		}
	}
	if _, _, err := q.Deliveries(t.Context(), unique("other"), id); !errors.Is(err, ErrNotFound) {
		t.Errorf("another tenant's deliveries: %v, want ErrNotFound", err)
	}
}

func TestWebhookOfDeletedJob(t *testing.T) {
	q, tenant := newQueue(t, Options{}), unique("tenant")
	id := hooked(t, q, tenant)
	d := claimDelivery(t, q)
	if err := q.Purge(t.Context(), tenant, id); err != nil {
		t.Fatal(err)
	}
	if err := q.Delivered(t.Context(), d, DeliveryAttempt{Attempt: 1, StatusCode: 500}, time.Millisecond); err != nil {
		t.Fatal(err)
	}
	noDelivery(t, q, 24*time.Hour)
	if n := q.rdb.Exists(t.Context(), q.keys.deliveries(id), q.keys.job(id)).Val(); n != 0 {
		t.Error("something of the deleted job is left")
	}
}

// hookedTo makes a finished job of a tenant with a webhook to that URL.
func hookedTo(t *testing.T, q *Queue, tenant, url string) string {
	t.Helper()
	s := submission(tenant, unique("job"))
	s.Webhook = Webhook{URL: url, Secret: "0123456789abcdef"}
	enqueueSub(t, q, s)
	if err := claim(t, q, "w").Complete(t.Context(), outcome("x")); err != nil {
		t.Fatal(err)
	}
	return s.Spec.ID
}

// deliverer is one to whom that is busy.
func deliverer(tenants []string, hosts map[string]time.Duration) Deliverer {
	return Deliverer{Worker: "d", Busy: func() Busy { return Busy{tenants, hosts} }}
}

// Tenants take turns, however many webhooks one has.
func TestWebhooksTakeTurns(t *testing.T) {
	q, a, b := newQueue(t, Options{}), unique("a"), unique("b")
	for range 6 {
		hookedTo(t, q, a, "https://a.example/")
	}
	claimDelivery(t, q) // all are in their tenants' sets now
	for range 2 {
		hookedTo(t, q, b, "https://b.example/")
	}
	own := 0
	for range 4 {
		if claimDelivery(t, q).Tenant == b {
			own++
		}
	}
	if own != 2 {
		t.Errorf("of 4 webhooks after b had 2, %d were b's", own)
	}
}

// A tenant with its part of the deliveries, and a host that has enough, are passed over; a host that was slow is put off, and no attempt is
// counted for that.
func TestWebhooksOfTheBusyWait(t *testing.T) {
	q, a, b := newQueue(t, Options{}), unique("a"), unique("b")
	var ids []string
	for range 100 {
		ids = append(ids, hookedTo(t, q, a, "https://A.example./x"))
	}
	other := hookedTo(t, q, a, "https://other.example/")
	theirs := hookedTo(t, q, b, "https://b.example/")
	take := func(by Deliverer) Delivery {
		t.Helper()
		d, err := q.ClaimDelivery(patience.Context(t), by)
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	if d := take(deliverer([]string{a}, nil)); d.JobID != theirs {
		t.Errorf("a has its part: %+v, want b's", d)
	}
	if d := take(deliverer(nil, map[string]time.Duration{"a.example:443": 0})); d.JobID != other {
		t.Errorf("the host has enough: %+v, want the webhook to another one behind 100", d)
	}
	// Nothing else is there: they stay where they are, and the caller is told that it will be its turn when one of its own ends.
	r, err := q.list(t.Context(), q.steps.webhookClaim, 3, "", Busy{Hosts: map[string]time.Duration{"a.example:443": 0}}.args()...)
	if planned := q.rdb.ZCard(t.Context(), q.keys.of("HOOKS")).Val(); err != nil || integer(r[0]) != 0 || planned != 2 {
		t.Errorf("%v, %v, %d planned; want nothing for now, and only those planned that were taken", r, err, planned)
	}
	put := deliverer(nil, map[string]time.Duration{"a.example:443": time.Hour})
	for {
		r, err := q.list(t.Context(), q.steps.webhookClaim, 2, "", put.Busy().args()...)
		if err != nil || integer(r[0]) != 0 {
			t.Fatalf("%v, %v: want nothing, the host was slow", r, err)
		}
		if integer(r[1]) > 30_000 { // all are put off: next come those two that were taken
			break
		}
	}
	late := 0
	for _, z := range q.rdb.ZRangeWithScores(t.Context(), q.keys.of("HOOKS"), 0, -1).Val() {
		if time.Until(time.UnixMilli(int64(z.Score))) > time.Hour/2 {
			late++
		}
	}
	if late != 100 {
		t.Errorf("%d webhooks are put off, want 100", late)
	}
	for _, id := range ids {
		if n := q.rdb.HGet(t.Context(), q.keys.job(id), "webhookAttempts").Val(); n != "" {
			t.Errorf("%s had %s attempts", id, n)
		}
	}
	if n := q.rdb.Exists(t.Context(), q.keys.of("HOOK_RING"), q.keys.of("hooksDue", a)).Val(); n != 0 {
		t.Errorf("%d sets are left of webhooks that were put off", n)
	}
}

func TestHookHost(t *testing.T) {
	for url, want := range map[string]string{
		"https://example.com/x": "example.com:443", "https://EXAMPLE.com.:443/": "example.com:443", "http://example.com": "example.com:80",
		"http://example.com:8080/a:9": "example.com:8080", "https://[2001:DB8::1]/": "2001:db8::1:443", "%": "",
	} {
		if got := hookHost(url); got != want {
			t.Errorf("%s: %q, want %q", url, got, want)
		}
	}
}

func TestRedeliverIsBounded(t *testing.T) {
	q, a, b := newQueue(t, Options{}), unique("a"), unique("b")
	id, other := hookedTo(t, q, a, "https://a.example/"), hookedTo(t, q, b, "https://b.example/")
	for n := range 5 {
		r := again(a)
		r.Limit, r.Window = 3, time.Hour
		var rate *RateError
		if err := q.Redeliver(t.Context(), r, id); n < 3 && err != nil || n >= 3 && (!errors.As(err, &rate) || rate.Kind != Redeliveries || rate.Rate.Used != int64(n+1)) {
			t.Errorf("redelivery %d: %v", n+1, err)
		}
	}
	if err := q.Redeliver(t.Context(), again(b), other); err != nil {
		t.Errorf("another tenant: %v", err)
	}
}
