// SPDX-License-Identifier: Apache-2.0

package api

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ccee-dev/ccee/e2e/patience"
	"github.com/ccee-dev/ccee/job"
)

// sized is a submission whose body has n bytes.
func sized(n int) string { return helloPython + strings.Repeat(" ", n-len(helloPython)) }

// Whoever takes all that they can get leaves three quarters of what there was to the next one.
func TestBudgetLeavesRoom(t *testing.T) {
	const room = 48 << 20
	b := newBudget(room)
	for callers := range 20 {
		before := room - b.taken()
		who := fmt.Sprint("greedy-", callers)
		for b.try(who, 1<<10) {
		}
		if left := room - b.taken(); left < before*3/4 || left > before*3/4+2<<10 {
			t.Errorf("caller %d leaves %d of %d, want three quarters", callers+1, left, before)
		}
	}
	b = newBudget(room)
	if !b.try("large", room) || b.try("large", 1) {
		t.Error("the first that a caller takes may be all that there is, and not more")
	}
}

// What there is no room for waits, for so long and no longer.
func TestBudgetWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBudget(100)
		if !b.try("other", 100) {
			t.Fatal("no room at the start")
		}
		h := b.reservation("who")
		time.AfterFunc(budgetWait/2, func() { b.give("other", 50) })
		if began := time.Now(); !h.grow(t.Context(), 20) || time.Since(began) != budgetWait/2 {
			t.Errorf("%+v after %v, want room after %v", h, time.Since(began), budgetWait/2)
		}
		if began := time.Now(); h.grow(t.Context(), 90) || time.Since(began) != budgetWait/2 {
			t.Errorf("a second wait took %v, want no room after the rest of %v", time.Since(began), budgetWait)
		}
		if h.n != 20 || b.taken() != 70 {
			t.Errorf("%d is held, %d in all; want 20 and 70", h.n, b.taken())
		}
		h.shrink(0)
		b.give("other", 50)
		if b.taken() != 0 || b.held.Holders() != 0 {
			t.Errorf("%d is held by %d at the end", b.taken(), b.held.Holders())
		}
	})
}

func TestOverloaded(t *testing.T) {
	s := newStack(t, nil)
	if !s.server.bodies.try("other", tenantBodies) {
		t.Fatal("room is taken at the start")
	}
	a := s.post("/v1/jobs", sized(smallBody+1))
	a.want(t, 503, `{"error":"submission_unavailable","reason":"overloaded","traceId":"test-trace"}`)
	if a.header.Get("Retry-After") != "2" || a.header.Get("Connection") != "close" {
		t.Errorf("retry-after %q, connection %q, want 2 and close", a.header.Get("Retry-After"), a.header.Get("Connection"))
	}
	if a := s.post("/v1/jobs", sized(smallBody-1)); a.status != 202 {
		t.Errorf("a small submission: %d %s, want 202", a.status, a.raw)
	}
	// Strangers have a budget of their own: they are told what they are told otherwise.
	if a := s.do("POST", "/v1/jobs", sized(maxBody), http.Header{"X-Api-Key": nil}); a.status != 401 {
		t.Errorf("a stranger: %d %s, want 401", a.status, a.raw)
	}
	s.server.bodies.give("other", tenantBodies)
	if a := s.post("/v1/jobs", sized(maxBody)); a.status != 202 {
		t.Errorf("when there is room again: %d %s, want 202", a.status, a.raw)
	}
}

// However a request ends, what it had of the budget is given back.
func TestBudgetIsGivenBack(t *testing.T) {
	s := newStack(t, nil)
	consume(t, s.queue, func(job.Spec) job.Result {
		ctx, cancel := context.WithTimeout(t.Context(), patience.Long()) // the handler may be about to drop it
		defer cancel()
		if !s.server.bodies.take(ctx, "all", tenantBodies) {
			t.Error("a request that waits for its job still has room for its body")
			return exited(0, "")
		}
		s.server.bodies.give("all", tenantBodies)
		return exited(0, "")
	})
	if a := s.post("/v1/jobs?waitMs=20000", sized(maxBody)); a.status != 200 {
		t.Errorf("%d %s, want 200", a.status, a.raw)
	}
	for name, a := range map[string]answer{
		"bad JSON": s.post("/v1/jobs", strings.Repeat("x", maxBody)),
		"invalid":  s.post("/v1/jobs", "[]"+strings.Repeat(" ", maxBody-2)),
		"too much": s.post("/v1/jobs", strings.Repeat("x", maxBody+1)),
		"unknown":  s.do("POST", "/v1/jobs", sized(maxBody), http.Header{"X-Api-Key": {"x"}}),
	} {
		if a.status != 400 && a.status != 401 && a.status != 413 {
			t.Errorf("%s: %d %s", name, a.status, a.raw)
		}
	}
	if s.server.bodies.taken() != 0 || s.server.anonymousBodies.taken() != 0 {
		t.Error("room is taken for good")
	}
}
