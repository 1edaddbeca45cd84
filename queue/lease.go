// SPDX-License-Identifier: Apache-2.0

package queue

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/ccee-dev/ccee/job"
)

// Reasons for which a lease ends before its job.
var (
	// ErrLeaseLost means that the job is no longer the caller's: the lease expired and another worker took over, or the job is
	// finished. The caller stops the job and writes nothing.
	ErrLeaseLost = errors.New("the lease is lost")
	// ErrRedisUnreachable means that Redis did not answer for as long as the lease held. The caller stops the job, as other workers may
	// reach Redis; when it reaches Redis again, it hands the job back.
	ErrRedisUnreachable = errors.New("redis did not answer in time to renew the lease")
	// ErrCancelRequested means that the tenant cancelled the running job.
	ErrCancelRequested = errors.New("the tenant cancelled the job")
)

// Lease is the right to run a job, as long as it is renewed. Its methods may be called from several goroutines.
type Lease struct {
	Job                  job.Spec // ID, Tenant and Attempt are set
	TraceID              string
	Request              Request
	Attempt, MaxAttempts int
	CreatedAt, StartedAt time.Time // by Redis's clock; their difference is the time spent waiting

	q       *Queue
	claim   int64     // the fencing token
	renewed time.Time // when the claim was sent
}

// Fault is why an attempt failed by our fault.
type Fault struct {
	Message string // for the tenant: plain words, no internals
	Cause   string // for operators
}

// Keep renews the lease at a third of its length until ctx ends (nil), the tenant cancels the job (ErrCancelRequested) or the lease is
// lost (ErrLeaseLost). While Redis is unreachable it gives up (ErrRedisUnreachable) a little before the lease expires: the caller needs
// that time to stop the job before another worker starts it. After ErrCancelRequested two thirds of the lease are left.
func (l *Lease) Keep(ctx context.Context) error {
	nudged, stop := l.q.cancels.watch(l.Job.ID)
	defer stop()
	return keep(ctx, l.q.opts.Lease, l.renewed, nudged, l.extend)
}

// keep is Keep of a lease of that length that was last renewed at a time. extend renews it within a timeout.
func keep(ctx context.Context, length time.Duration, renewed time.Time, nudged <-chan struct{}, extend func(context.Context, time.Duration) error) error {
	end := renewed.Add(length - length/6)
	next := time.NewTimer(length / 3)
	defer next.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-nudged:
		case <-next.C:
		}
		sent := time.Now()
		err := extend(ctx, end.Sub(sent))
		switch {
		case err == nil:
			end = sent.Add(length - length/6)
			next.Reset(length / 3)
		case errors.Is(err, ErrLeaseLost), errors.Is(err, ErrCancelRequested):
			return err
		case ctx.Err() != nil:
			return nil
		case !time.Now().Before(end):
			return fmt.Errorf("%w: %w", ErrRedisUnreachable, err)
		default:
			next.Reset(min(length/30, time.Until(end)))
		}
	}
}

// Extend renews the lease once. Besides Redis's errors it returns ErrLeaseLost, or ErrCancelRequested (then it was renewed).
func (l *Lease) Extend(ctx context.Context) error { return l.extend(ctx, opTimeout) }

func (l *Lease) extend(ctx context.Context, timeout time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	s, err := l.q.word(ctx, l.q.steps.extend, l.what("renew the lease of"), l.args()...)
	switch {
	case err != nil:
		return err
	case s == "cancel":
		return ErrCancelRequested
	default:
		return lostUnless(s)
	}
}

// Complete stores the job's result and ends the lease: it frees the quota slot, adds the cost and notifies those who wait. The first result
// stays; ErrLeaseLost means that this one came too late. After another error it may be repeated.
func (l *Lease) Complete(ctx context.Context, o Outcome) error {
	if s := State(o.Result.Status); !s.Final() {
		return fmt.Errorf("%s: the result has the status %q, which is not final", l.what("complete"), s)
	}
	args, err := l.completeArgs(o)
	if err != nil {
		return fmt.Errorf("%s: %w", l.what("complete"), err)
	}
	return l.end(ctx, l.q.steps.complete, "complete", args...)
}

// Retry ends an attempt that failed by our fault, and returns the job's new state: Retrying (after a delay), Failed (that was the last
// attempt: the job is in the dead-letter list) or Cancelled (the tenant had cancelled it).
func (l *Lease) Retry(ctx context.Context, f Fault) (State, error) {
	delay := backoff(l.q.opts.RetryBackoff, l.q.opts.RetryMaxDelay, l.Attempt, rand.Int64N)
	s, err := l.q.word(ctx, l.q.steps.retry, l.what("retry"), l.args(delay.Milliseconds(), f.Message, f.Cause)...)
	if err != nil {
		return "", err
	}
	return State(s), lostUnless(s)
}

// backoff returns the delay after n failures: base * 2^(n-1) plus a random part of base, at most limit. random(k) is in [0, k).
func backoff(base, limit time.Duration, n int, random func(int64) int64) time.Duration {
	d := base
	for i := 1; i < n && d < limit; i++ {
		d *= 2
	}
	return min(limit, d+time.Duration(random(int64(base))))
}

// Fail ends a job that can never run, such as one that the backend rejects as invalid. It is not retried and not dead-lettered.
func (l *Lease) Fail(ctx context.Context, f Fault) error { return l.fail(ctx, f, false) }

func (l *Lease) fail(ctx context.Context, f Fault, bury bool) error {
	flag := "0"
	if bury {
		flag = "1"
	}
	return l.end(ctx, l.q.steps.fail, "fail", f.Message, f.Cause, flag)
}

const (
	releasesMax  = 100             // how often a job may be handed back
	releasePause = 5 * time.Second // the longest until it is tried again
)

// Release hands the job back: it waits again at its old place, and the attempt is not counted. cause is for operators. It returns the
// job's new state: Queued, or Retrying if an attempt was made before; Failed (it was handed back too often: the job is in the dead-letter
// list) or Cancelled (the tenant had cancelled it). From the ninth time on it comes back after a delay, which grows.
func (l *Lease) Release(ctx context.Context, cause string) (State, error) {
	o := &l.q.opts
	s, err := l.q.word(ctx, l.q.steps.release, l.what("release"), l.args(o.RetryBackoff.Milliseconds(), min(o.RetryMaxDelay, releasePause).Milliseconds(), cause)...)
	if err != nil {
		return "", err
	}
	return State(s), lostUnless(s)
}

// end runs a step that answers 'ok' or 'lost'.
func (l *Lease) end(ctx context.Context, step *redis.Script, verb string, args ...any) error {
	s, err := l.q.word(ctx, step, l.what(verb), l.args(args...)...)
	if err != nil {
		return err
	}
	return lostUnless(s)
}

func (l *Lease) args(more ...any) []any {
	return append([]any{l.Job.ID, l.Job.Tenant, l.claim}, more...)
}

func (l *Lease) what(verb string) string { return verb + " job " + l.Job.ID }

func lostUnless(word string) error {
	if word == "lost" {
		return ErrLeaseLost
	}
	return nil
}
