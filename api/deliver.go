// SPDX-License-Identifier: Apache-2.0

package api

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"sync"
	"time"

	"github.com/ccee-dev/ccee/api/view"
	"github.com/ccee-dev/ccee/api/webhook"
	"github.com/ccee-dev/ccee/queue"
)

// webhookEvent is the body of a webhook.
type webhookEvent struct {
	Type      string      `json:"type"` // "job.finished"
	Timestamp *view.Stamp `json:"timestamp"`
	Data      view.Job    `json:"data"`
}

// deliver delivers webhooks until ctx ends. Deliveries in flight then are made again by another process, or after a restart.
func (s *Server) deliver(ctx context.Context) {
	var wg sync.WaitGroup
	defer wg.Wait()
	slots := make(chan struct{}, maxDeliveries)
	var outage outageLog
	by := queue.Deliverer{Worker: s.name, Busy: func() queue.Busy { return s.inFlight.busy(time.Now()) }, Changed: s.inFlight.changed}
	for {
		select {
		case slots <- struct{}{}:
		case <-ctx.Done():
			return
		}
		d, err := s.opts.Queue.ClaimDelivery(ctx, by)
		if ctx.Err() != nil {
			return
		}
		outage.note(&s.opts.Log, err, "webhooks wait", "webhooks are delivered again")
		switch {
		case err != nil:
			pause(ctx, time.Second)
			<-slots
		default:
			s.inFlight.begin(d.Tenant, d.Host)
			wg.Go(func() {
				s.deliverOne(ctx, d)
				<-slots
				s.inFlight.end(d.Tenant, d.Host)
			})
		}
	}
}

// pause waits for d, or until ctx ends.
func pause(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-t.C:
	}
}

// deliverOne makes one attempt and notes it.
func (s *Server) deliverOne(ctx context.Context, d queue.Delivery) {
	rec, err := s.opts.Queue.Get(ctx, d.Tenant, d.JobID)
	if err != nil {
		if !errors.Is(err, queue.ErrNotFound) { // else it was deleted
			s.opts.Log.Warn().Err(err).Str("job", d.JobID).Msg("webhook waits")
		}
		return
	}
	out := s.webhooks.Send(ctx, webhook.Message{ID: d.JobID, URL: d.Webhook.URL, Secret: d.Webhook.Secret, Body: webhookBody(rec)})
	if ctx.Err() != nil && !out.OK {
		return // the attempt was broken off by our own shutdown
	}
	now := time.Now().UTC()
	s.inFlight.answered(d.Host, !out.TimedOut, now)
	a := queue.DeliveryAttempt{At: now, Attempt: d.Attempt, StatusCode: out.StatusCode, Error: out.Error, DurationMs: out.Took.Milliseconds()}
	delay := webhook.Delay(d.Attempt, out)
	s.metrics.webhooks.WithLabelValues(outcomeOf(out, delay)).Inc()
	if delay > 0 {
		a.NextAt = now.Add(delay)
	}
	s.opts.Log.Info().Str("job", d.JobID).Str("tenant", d.Tenant).Int("attempt", d.Attempt).Int("statusCode", out.StatusCode).
		Str("error", out.Error).Dur("took", out.Took).Dur("again", delay).Msg("webhook")
	// Recorded even while stopping: the attempt was made.
	if err := s.opts.Queue.Delivered(context.WithoutCancel(ctx), d, a, delay); err != nil {
		s.opts.Log.Warn().Err(err).Str("job", d.JobID).Msg("webhook was sent, and will be once more")
	}
}

// outcomeOf returns the label for an attempt.
func outcomeOf(out webhook.Outcome, again time.Duration) string {
	switch {
	case out.OK:
		return "delivered"
	case again > 0:
		return "again"
	}
	return "given_up"
}

func webhookBody(rec queue.Record) []byte {
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(webhookEvent{"job.finished", view.Time(rec.CompletedAt), view.NewSingle(rec, false)}); err != nil {
		panic(err)
	}
	return bytes.TrimSpace(buf.Bytes())
}
