// SPDX-License-Identifier: Apache-2.0

package queue

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"
)

// heldPause is how long a Claim that skipped jobs of full tenants waits before it tries again: it can't wait for a token, which may be
// for the skipped jobs.
const heldPause = 10 * time.Millisecond

// Claimer describes a worker that claims jobs.
type Claimer struct {
	Worker    string   // its name; unique among live processes
	Languages []string // in which it can run jobs
	// Full, if not nil, returns the tenants whose jobs it skips now; Changed is signalled when there may be fewer.
	Full    func() []string
	Changed <-chan struct{}
}

// Claim waits for a job and claims it under a lease. The error is ctx's if ctx ended first; otherwise Redis is unreachable, and the
// caller should try again after a pause.
func (q *Queue) Claim(ctx context.Context, c Claimer) (*Lease, error) {
	for {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		// Without ctx: a claim that is cancelled half-way may succeed in Redis, and then its job would wait until the lease expires.
		var full []string
		if c.Full != nil {
			full = c.Full()
		}
		l, wait, err := q.tryClaim(context.WithoutCancel(ctx), c, full...)
		if l != nil || err != nil {
			return l, err
		}
		if wait == 0 {
			continue
		}
		if len(full) > 0 && wait <= heldPause {
			select {
			case <-ctx.Done():
			case <-c.Changed:
			case <-time.After(wait):
			}
			continue
		}
		if err := q.sleep(ctx, q.wakes(c.Languages), c.Worker, wait); err != nil {
			return nil, err
		}
	}
}

// wakes returns the lists at which a worker with those languages waits.
func (q *Queue) wakes(languages []string) []string {
	lists := []string{q.keys.of("WAKE")}
	for _, l := range languages {
		lists = append(lists, q.keys.wakeFor(l))
	}
	return lists
}

// tryClaim claims a job if a tenant that is not full has one; otherwise it returns how long there will be none unless a token comes.
func (q *Queue) tryClaim(ctx context.Context, c Claimer, full ...string) (*Lease, time.Duration, error) {
	sent := time.Now() // before the step, so that the lease never ends later here than in Redis
	args := make([]any, 0, 2+len(c.Languages)+len(full))
	args = append(args, c.Worker, len(c.Languages))
	for _, l := range c.Languages {
		args = append(args, l)
	}
	for _, tenant := range full {
		args = append(args, tenant)
	}
	r, err := q.list(ctx, q.steps.claim, 2, "claim a job", args...)
	if err != nil {
		return nil, 0, err
	}
	if integer(r[0]) == 0 {
		wait := maxBlock
		if len(r) > 2 {
			wait = heldPause
		}
		if ms := integer(r[1]); ms >= 0 {
			wait = min(wait, time.Duration(ms)*time.Millisecond)
		}
		return nil, wait, nil
	}
	if len(r) < 6 {
		return nil, 0, q.explain("claim a job", fmt.Errorf("unexpected answer of %d elements", len(r)))
	}
	l := &Lease{q: q, claim: integer(r[3]), Attempt: int(integer(r[4])), renewed: sent}
	l.Job.ID, l.Job.Tenant = text(r[1]), text(r[2])
	h := pairs(r[5])
	s, err := h.submission(l.Job.ID, l.Job.Tenant)
	if err != nil {
		// No attempt will read it better. The tenant's slot is freed, and the payload stays for us to look at.
		err = l.fail(ctx, Fault{Message: "the stored job could not be read", Cause: err.Error()}, true)
		if errors.Is(err, ErrLeaseLost) {
			err = nil
		}
		return nil, 0, err
	}
	l.Job, l.TraceID, l.Request, l.MaxAttempts = s.Spec, h["traceId"], s.Request, s.MaxAttempts
	l.Job.Attempt = l.Attempt
	l.CreatedAt, l.StartedAt = h.time("createdAt"), h.time("startedAt")
	return l, 0, nil
}

func pairs(v any) hash {
	l, _ := v.([]any)
	h := make(hash, len(l)/2)
	for i := 0; i+1 < len(l); i += 2 {
		h[text(l[i])] = text(l[i+1])
	}
	return h
}

// sleep blocks until one of the lists has a token, wait is over, or ctx ends.
func (q *Queue) sleep(ctx context.Context, wakes []string, worker string, wait time.Duration) error {
	own := q.keys.wakeWorker(worker)
	// A blocking command does not notice that a context ends. A token in the worker's own list ends it, whether it blocks already or not
	// yet.
	stop := context.AfterFunc(ctx, func() {
		wctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), opTimeout)
		defer cancel()
		_, _ = q.rdb.Pipelined(wctx, func(p redis.Pipeliner) error { // if this fails, the command returns after maxBlock
			p.RPush(wctx, own, 1)
			p.Expire(wctx, own, 2*maxBlock)
			return nil
		})
	})
	defer stop()

	block := strconv.FormatFloat(max(wait, time.Millisecond).Seconds(), 'f', 3, 64)
	bctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), wait+opTimeout)
	defer cancel()
	command := []any{"BLPOP", own}
	for _, wake := range wakes {
		command = append(command, wake)
	}
	got, err := q.rdb.WithTimeout(wait+opTimeout).Do(bctx, append(command, block)...).StringSlice()
	if errors.Is(err, redis.Nil) {
		return ctx.Err()
	}
	if err != nil {
		return errors.Join(ctx.Err(), q.explain("wait for a job", err))
	}
	if ctx.Err() != nil && len(got) > 0 && got[0] != own {
		// Another worker needs the token.
		return errors.Join(ctx.Err(), q.explain("return a wake-up token", q.rdb.RPush(bctx, got[0], 1).Err()))
	}
	return ctx.Err()
}
