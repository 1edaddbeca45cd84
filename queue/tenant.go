// SPDX-License-Identifier: Apache-2.0

package queue

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/ccee-dev/ccee/job"
)

// RateKind names one of a tenant's limits of requests.
type RateKind string

// The kinds.
const (
	Requests     RateKind = "rate_limit"           // every authenticated request
	Submits      RateKind = "submit_rate_limit"    // valid submissions
	Redeliveries RateKind = "redeliver_rate_limit" // requests to deliver a webhook again
)

// rateSteps is how many parts of a window are kept apart where the limit is larger: in the window of a minute, the default, a place is free
// again at most a second late. See doc.go, Request limits.
const rateSteps = 60

// Rate is the state of one of a tenant's limits after one more request.
type Rate struct {
	Allowed    bool          // Used <= Limit
	Used       int64         // requests admitted in the window that ends now, and those refused since the last admitted one
	Limit      int64         // in any window
	ResetAt    time.Time     // when all of the limit is free again if nothing more is admitted, by Redis's clock
	RetryAfter time.Duration // until a request is admitted again, if no other takes the place; 0: it would be now
}

// RateRequest is one request to be counted. TraceID, Method and Path are for the audit of a refusal.
type RateRequest struct {
	Tenant                string
	Limit                 int64
	Window                time.Duration // whole seconds
	TraceID, Method, Path string
}

// Rate counts one request of the tenant and says whether it is admitted: not if it would be more than Limit in some window of that length.
func (q *Queue) Rate(ctx context.Context, r RateRequest) (Rate, error) {
	what, args, err := q.rateArgs(r)
	if err != nil {
		return Rate{}, err
	}
	l, err := q.list(ctx, q.steps.rate, 2, what, args...)
	if err != nil {
		return Rate{}, err
	}
	return rateOf(l[0], r.Limit, integer(l[1])), nil
}

func (q *Queue) rateArgs(r RateRequest) (what string, args []any, err error) {
	what = "count a request of tenant " + r.Tenant
	if !wholeSeconds(r.Window) {
		return what, nil, job.Errorf(job.EInternal, "%s: a window of %v is not one of whole seconds", what, r.Window)
	}
	return what, []any{r.Tenant, r.Limit, seconds(r.Window), r.TraceID, r.Method, r.Path}, nil
}

// RateAndLook is Rate, and Look of the tenant's job, in one round trip: the most frequent request. The error is Look's, or Redis is
// unreachable; only in the latter case the Rate is zero.
func (q *Queue) RateAndLook(ctx context.Context, r RateRequest, id string) (Rate, Record, error) {
	what, args, err := q.rateArgs(r)
	if err != nil {
		return Rate{}, Record{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, opTimeout)
	defer cancel()
	count := stepCommand(ctx, q.steps.rate, args)
	l := q.look(ctx, id)
	if err := q.batch.do(ctx, count, l.fields, l.output); err != nil {
		return Rate{}, Record{}, q.explain(what, err)
	}
	v, err := count.Result()
	if redis.HasErrorPrefix(err, "NOSCRIPT") { // Redis was restarted
		v, err = q.steps.rate.Eval(ctx, q.rdb, nil, args...).Result()
	}
	counted, _ := v.([]any)
	if err == nil && len(counted) < 2 {
		err = fmt.Errorf("unexpected answer %v", v)
	}
	if err != nil {
		return Rate{}, Record{}, q.explain(what, err)
	}
	rate := rateOf(counted[0], r.Limit, integer(counted[1]))
	rec, there, err := q.looked(ctx, id, l)
	switch {
	case err != nil:
		return Rate{}, Record{}, q.explain("read job "+id, err)
	case !there || rec.Tenant != r.Tenant:
		return rate, Record{}, ErrNotFound
	}
	return rate, rec, nil
}

// rateOf reads what countRequest in lib.lua returned at that time (ms).
func rateOf(counted any, limit, at int64) Rate {
	l, _ := counted.([]any)
	if len(l) < 3 { // a script of ours always has them
		l = make([]any, 3)
	}
	used := integer(l[0])
	return Rate{Allowed: used <= limit, Used: used, Limit: limit, ResetAt: time.UnixMilli(integer(l[1])).UTC(),
		RetryAfter: time.Duration(max(0, integer(l[2])-at)) * time.Millisecond}
}

func wholeSeconds(d time.Duration) bool { return d >= time.Second && d%time.Second == 0 }

// Usage is how much of its quotas a tenant has used.
type Usage struct {
	ActiveJobs       int64  // unfinished jobs
	DailyJobs        int64  // submitted on Date
	StoredBytes      int64  // that its jobs take in Redis
	Date             string // today, UTC, YYYY-MM-DD
	EstimatedCostUsd float64
}

// Usage returns how much of its quotas the tenant has used today.
func (q *Queue) Usage(ctx context.Context, tenant string) (Usage, error) {
	r, err := q.list(ctx, q.steps.usage, 5, "read the usage of tenant "+tenant, tenant)
	if err != nil {
		return Usage{}, err
	}
	cost, _ := strconv.ParseFloat(text(r[3]), 64)
	return Usage{ActiveJobs: integer(r[0]), DailyJobs: integer(r[1]), Date: text(r[2]), EstimatedCostUsd: cost, StoredBytes: integer(r[4])}, nil
}

// DayCost is the cost of a tenant's jobs that finished on one day.
type DayCost struct {
	Date             string // UTC, YYYY-MM-DD
	EstimatedCostUsd float64
}

// MaxCostDays is how many days back Costs can look; the sums are kept for longer than that.
const MaxCostDays = int(costTTL/(24*time.Hour)) - 1

// Costs returns the costs of the tenant's last days, today first. days is from 1 to MaxCostDays.
func (q *Queue) Costs(ctx context.Context, tenant string, days int) ([]DayCost, error) {
	what := "read the costs of tenant " + tenant
	if days < 1 || days > MaxCostDays {
		return nil, job.Errorf(job.EInternal, "%s: %d days, want 1 to %d", what, days, MaxCostDays)
	}
	r, err := q.list(ctx, q.steps.costs, 2*days, what, tenant, days)
	if err != nil {
		return nil, err
	}
	costs := make([]DayCost, days)
	for i := range costs {
		usd, err := strconv.ParseFloat(text(r[2*i+1]), 64)
		if err != nil {
			return nil, job.Errorf(job.EInternal, "%s: redis has %q for %s, not a number", what, text(r[2*i+1]), text(r[2*i]))
		}
		costs[i] = DayCost{Date: text(r[2*i]), EstimatedCostUsd: usd}
	}
	return costs, nil
}
