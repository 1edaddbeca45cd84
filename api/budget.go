// SPDX-License-Identifier: Apache-2.0

package api

import (
	"context"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/ccee-dev/ccee/share"
)

// The bounds of the memory that requests' bodies take together, in bytes. Unauthenticated callers have a budget of their own, which their
// addresses share: they take room from one another and not from tenants.
const (
	tenantBodies    = 48 << 20
	anonymousBodies = 16 << 20
)

// budgetWait is how long a request may wait for room in a budget, in all.
const budgetWait = 2 * time.Second

// callerPercent is the part of a budget that one caller may hold, of the room that the others leave: see package share.
const callerPercent = 25

// budget is room that callers share: bytes of memory, connections.
type budget struct {
	mu      sync.Mutex // guards the rest
	held    *share.Table
	waiting chan struct{} // closed when something is given back; nil: nobody waits
}

func newBudget(room int64) *budget { return &budget{held: share.New(room, callerPercent)} }

// try reserves n and reports whether there was room for it.
func (b *budget) try(who string, n int64) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.fit(who, n)
}

// fit is try with the lock held.
func (b *budget) fit(who string, n int64) bool {
	if !b.held.Fits(who, n) {
		return false
	}
	b.held.Add(who, n)
	return true
}

// take is try that waits for room until ctx ends.
func (b *budget) take(ctx context.Context, who string, n int64) bool {
	for {
		b.mu.Lock()
		if b.fit(who, n) {
			b.mu.Unlock()
			return true
		}
		if b.waiting == nil {
			b.waiting = make(chan struct{})
		}
		freed := b.waiting
		b.mu.Unlock()
		select {
		case <-freed:
		case <-ctx.Done():
			return false
		}
	}
}

// taken returns how much is held by all together.
func (b *budget) taken() int64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.held.All()
}

// give gives n back.
func (b *budget) give(who string, n int64) {
	if n == 0 {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.held.Add(who, -n)
	if b.waiting != nil {
		close(b.waiting)
		b.waiting = nil
	}
}

// reservation is the room that one request holds in a budget. The zero value holds nothing and belongs to none.
type reservation struct {
	of   *budget
	who  string
	n    int64
	left time.Duration // that it may still wait
}

func (b *budget) reservation(who string) reservation {
	return reservation{of: b, who: who, left: budgetWait}
}

// grow raises the reservation to n and reports whether there was room within the time that it may wait.
func (h *reservation) grow(ctx context.Context, n int64) bool {
	if n <= h.n {
		return true
	}
	if !h.of.try(h.who, n-h.n) {
		began := time.Now()
		ctx, cancel := context.WithTimeout(ctx, h.left)
		defer cancel()
		ok := h.of.take(ctx, h.who, n-h.n)
		h.left -= time.Since(began)
		if !ok {
			return false
		}
	}
	h.n = n
	return true
}

// shrink lowers the reservation to n.
func (h *reservation) shrink(n int64) {
	if h.n > n {
		h.of.give(h.who, h.n-n)
		h.n = n
	}
}

// overloaded answers that there is no room for the request's body, or for its answer.
func (c *call) overloaded() {
	if c.r.Context().Err() != nil {
		c.status = clientGone
		return
	}
	code := "unavailable"
	if c.r.Method == http.MethodPost {
		code = "submission_unavailable"
	}
	c.w.Header().Set("Retry-After", strconv.Itoa(int(budgetWait/time.Second)))
	c.refuse(http.StatusServiceUnavailable, code, "overloaded")
}
