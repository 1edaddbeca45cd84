package queue

import (
	"context"
	"errors"
	"testing"
	"time"

	"ccee/e2e/patience"
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
	d, err := q.ClaimDelivery(ctx, "d")
	if err != nil {
		t.Fatal(err)
	}
	return d
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
	if err := q.Redeliver(t.Context(), tenant, id); err != nil {
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
		if err := q.Redeliver(t.Context(), tt.tenant, tt.id); !errors.Is(err, tt.want) {
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
