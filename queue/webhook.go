// SPDX-License-Identifier: Apache-2.0

package queue

import (
	"context"
	"encoding/json"
	"errors"
	"net/url"
	"strings"
	"time"

	"github.com/ccee-dev/ccee/job"
)

// Webhook is notified when a job has ended.
type Webhook struct {
	URL    string // http or https
	Secret string // the key of the signature
}

// deliveryLease is after how long another process tries a delivery too.
const deliveryLease = time.Minute

// maxDeliveries bounds the log of one job's deliveries.
const maxDeliveries = 20

// Delivery is a webhook that is due.
type Delivery struct {
	JobID, Tenant string
	Attempt       int // 1 for the first
	Webhook       Webhook
	Host          string // of its URL, with the port
}

// Deliverer describes a process that delivers webhooks.
type Deliverer struct {
	Worker string // unique among live processes
	// Busy, if not nil, returns what it skips now; Changed is signalled when that may be less.
	Busy    func() Busy
	Changed <-chan struct{}
}

// Busy lists the tenants and hosts whose webhooks a Deliverer skips, and for how long those of a host are postponed (0: until Changed).
type Busy struct {
	Tenants []string
	Hosts   map[string]time.Duration
}

// hookHost returns a URL's host and port in a normal form: two spellings of a host are one host.
func hookHost(raw string) string {
	u, err := url.Parse(raw)
	if err != nil {
		return ""
	}
	port := u.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[u.Scheme]
	}
	return strings.ToLower(strings.TrimSuffix(u.Hostname(), ".")) + ":" + port
}

// DeliveryAttempt is one entry of the log of a job's deliveries.
type DeliveryAttempt struct {
	At         time.Time `json:"at"`
	Attempt    int       `json:"attempt"`
	StatusCode int       `json:"statusCode,omitempty"` // of the answer; 0: there was none
	Error      string    `json:"error,omitempty"`      // why there was none
	DurationMs int64     `json:"durationMs"`
	NextAt     time.Time `json:"nextAt,omitzero"` // of the next attempt; zero: there is none
}

// The errors of Redeliver, besides ErrNotFound and ErrUnfinished.
var ErrNoWebhook = errors.New("the job has no webhook")

// ClaimDelivery waits for a webhook that is due and claims it for a minute. Tenants take turns. The error is ctx's, or Redis is
// unreachable.
func (q *Queue) ClaimDelivery(ctx context.Context, by Deliverer) (Delivery, error) {
	const what = "claim a webhook"
	for {
		var busy Busy
		if by.Busy != nil {
			busy = by.Busy()
		}
		r, err := q.list(ctx, q.steps.webhookClaim, 2, what, busy.args()...)
		if err != nil {
			return Delivery{}, errors.Join(ctx.Err(), err)
		}
		if integer(r[0]) == 1 && len(r) >= 4 {
			return q.delivery(ctx, text(r[1]), text(r[2]), int(integer(r[3])))
		}
		wait := maxBlock
		if ms := integer(r[1]); ms >= 0 {
			wait = min(wait, time.Duration(ms)*time.Millisecond)
		}
		if len(r) > 2 { // a token may be for a skipped webhook
			select {
			case <-ctx.Done():
				return Delivery{}, ctx.Err()
			case <-by.Changed:
			case <-time.After(min(wait, heldPause)):
			}
			continue
		}
		if err := q.sleep(ctx, []string{q.keys.of("HOOK_WAKE")}, by.Worker+":webhooks", wait); err != nil {
			return Delivery{}, err
		}
	}
}

// args returns the arguments of webhook_claim.lua.
func (b Busy) args() []any {
	args := []any{deliveryLease.Milliseconds(), len(b.Tenants)}
	for _, tenant := range b.Tenants {
		args = append(args, tenant)
	}
	for host, d := range b.Hosts {
		args = append(args, host, d.Milliseconds())
	}
	return args
}

// delivery reads the job's webhook.
func (q *Queue) delivery(ctx context.Context, id, tenant string, attempt int) (Delivery, error) {
	ctx, cancel := context.WithTimeout(ctx, opTimeout)
	defer cancel()
	f, err := q.rdb.HMGet(ctx, q.keys.job(id), "webhookUrl", "webhookSecret").Result()
	if err != nil {
		return Delivery{}, q.explain("read the webhook of job "+id, err)
	}
	return Delivery{JobID: id, Tenant: tenant, Attempt: attempt, Webhook: Webhook{URL: text(f[0]), Secret: text(f[1])},
		Host: hookHost(text(f[0]))}, nil
}

// Delivered logs an attempt and schedules the next one after delay; 0: there is none.
func (q *Queue) Delivered(ctx context.Context, d Delivery, a DeliveryAttempt, delay time.Duration) error {
	b, err := json.Marshal(a)
	if err != nil {
		return job.Errorf(job.EInternal, "encode the delivery of job %s: %v", d.JobID, err)
	}
	_, err = q.run(ctx, q.steps.webhookDone, "log a delivery of job "+d.JobID, d.JobID, d.Tenant, delay.Milliseconds(), b, maxDeliveries)
	return err
}

// Deliveries returns the webhook of a tenant's job and the latest attempts to deliver it, the oldest first. The secret is left out;
// a URL of "" says that there is no webhook. ErrNotFound as in Get.
func (q *Queue) Deliveries(ctx context.Context, tenant, id string) (Webhook, []DeliveryAttempt, error) {
	what := "read the deliveries of job " + id
	ctx, cancel := context.WithTimeout(ctx, opTimeout)
	defer cancel()
	f, err := q.rdb.HMGet(ctx, q.keys.job(id), "tenantId", "webhookUrl").Result()
	if err != nil {
		return Webhook{}, nil, q.explain(what, err)
	}
	if text(f[0]) != tenant || tenant == "" {
		return Webhook{}, nil, ErrNotFound
	}
	lines, err := q.rdb.LRange(ctx, q.keys.deliveries(id), 0, -1).Result()
	if err != nil {
		return Webhook{}, nil, q.explain(what, err)
	}
	attempts := make([]DeliveryAttempt, 0, len(lines))
	for _, line := range lines {
		var a DeliveryAttempt
		if json.Unmarshal([]byte(line), &a) == nil {
			attempts = append(attempts, a)
		}
	}
	return Webhook{URL: text(f[1])}, attempts, nil
}

// Redeliver schedules another delivery of the webhook of a finished job of r's tenant, within r's limit. The error is ErrNotFound,
// ErrNoWebhook, ErrUnfinished, a *RateError, or Redis is unreachable.
func (q *Queue) Redeliver(ctx context.Context, r RateRequest, id string) error {
	what := "deliver the webhook of job " + id + " again"
	if !wholeSeconds(r.Window) {
		return job.Errorf(job.EInternal, "%s: a window of %v is not one of whole seconds", what, r.Window)
	}
	v, err := q.run(ctx, q.steps.redeliver, what, id, r.Tenant, r.Limit, seconds(r.Window), r.TraceID, r.Method, r.Path)
	if l, _ := v.([]any); err == nil && len(l) >= 2 {
		return &RateError{Redeliveries, rateOf(l[0], r.Limit, integer(l[1]))}
	}
	switch s := text(v); {
	case err != nil:
		return err
	case s == "none":
		return ErrNoWebhook
	case s == "unfinished":
		return ErrUnfinished
	case s != "ok":
		return ErrNotFound
	}
	return nil
}
