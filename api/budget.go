package api

import (
	"context"
	"net/http"
	"strconv"
	"time"

	"golang.org/x/sync/semaphore"
)

// The bounds of what requests' bodies take in memory together, in bytes. Callers who did not prove who they are have a
// budget of their own: those who send slowly, or never to the end, take places from one another and not from tenants.
const (
	tenantBodies   = 48 << 20
	strangerBodies = 16 << 20

	// smallBody is what a body may have without being counted: it takes no more than its connection does, and there is
	// always room for the usual job.
	smallBody = 16 << 10
)

// budgetWait is how long a request may wait for its share of a budget.
const budgetWait = 2 * time.Second

// budgets bound the bodies that are in memory at once.
type budgets struct{ tenants, strangers *semaphore.Weighted }

func newBudgets() budgets {
	return budgets{semaphore.NewWeighted(tenantBodies), semaphore.NewWeighted(strangerBodies)}
}

// take reserves room for a body of size bytes and reports whether there was any within budgetWait. release gives it back.
func (b budgets) take(ctx context.Context, known bool, size int64) (release func(), ok bool) {
	if size <= smallBody {
		return func() {}, true
	}
	sem := b.strangers
	if known {
		sem = b.tenants
	}
	ctx, cancel := context.WithTimeout(ctx, budgetWait)
	defer cancel()
	if sem.Acquire(ctx, size) != nil {
		return nil, false
	}
	return func() { sem.Release(size) }, true
}

// overloaded answers that there is no room for the body.
func (c *call) overloaded() {
	if c.r.Context().Err() != nil {
		c.status = clientGone
		return
	}
	c.w.Header().Set("Retry-After", strconv.Itoa(int(budgetWait/time.Second)))
	c.refuse(http.StatusServiceUnavailable, "submission_unavailable", "overloaded")
}
