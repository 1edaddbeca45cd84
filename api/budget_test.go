package api

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rs/zerolog"

	"ccee/api/job"
	"ccee/e2e/patience"
)

// sized is a submission whose body has n bytes.
func sized(n int) string { return helloPython + strings.Repeat(" ", n-len(helloPython)) }

// Bodies beyond a budget wait for their share, within bounds; small ones always come in.
func TestBodyBudgets(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBudgets()
		for _, tt := range []struct {
			known  bool
			budget int
		}{{true, tenantBodies}, {false, strangerBodies}} {
			var held []func()
			for range tt.budget / maxBody {
				release, ok := b.take(t.Context(), tt.known, maxBody)
				if !ok {
					t.Fatalf("known %v: no room after %d MiB of %d", tt.known, len(held), tt.budget>>20)
				}
				held = append(held, release)
			}
			if _, ok := b.take(t.Context(), tt.known, smallBody); !ok {
				t.Errorf("known %v: a small body is turned away", tt.known)
			}
			began := time.Now()
			if _, ok := b.take(t.Context(), tt.known, maxBody); ok || time.Since(began) != budgetWait {
				t.Errorf("known %v: one too many: %v after %v, want false after %v", tt.known, ok, time.Since(began), budgetWait)
			}
			time.AfterFunc(budgetWait/2, held[0])
			if _, ok := b.take(t.Context(), tt.known, maxBody); !ok {
				t.Errorf("known %v: no room though another was done in time", tt.known)
			}
		}
	})
}

func TestOverloaded(t *testing.T) {
	s := newStack(t, nil)
	if !s.server.budgets.tenants.TryAcquire(tenantBodies) {
		t.Fatal("room is taken at the start")
	}
	a := s.post("/v1/jobs", sized(smallBody+1))
	a.want(t, 503, `{"error":"submission_unavailable","reason":"overloaded","traceId":"test-trace"}`)
	if a.header.Get("Retry-After") != "2" || a.header.Get("Connection") != "close" {
		t.Errorf("retry-after %q, connection %q, want 2 and close", a.header.Get("Retry-After"), a.header.Get("Connection"))
	}
	if a := s.post("/v1/jobs", sized(smallBody)); a.status != 202 {
		t.Errorf("a small submission: %d %s, want 202", a.status, a.raw)
	}
	// Strangers have a budget of their own: they are told what they are told otherwise.
	if a := s.do("POST", "/v1/jobs", sized(maxBody), http.Header{"X-Api-Key": nil}); a.status != 401 {
		t.Errorf("a stranger: %d %s, want 401", a.status, a.raw)
	}
	s.server.budgets.tenants.Release(tenantBodies)
	if a := s.post("/v1/jobs", sized(maxBody)); a.status != 202 {
		t.Errorf("when there is room again: %d %s, want 202", a.status, a.raw)
	}
}

// Strangers who send slowly hold what they have reserved, but nothing of what tenants need.
func TestSlowStrangers(t *testing.T) {
	s := newStack(t, func(o *Options) { o.Log = zerolog.Nop() }) // requests end at the same time, and the log of a stack is for one
	url, stop := serveOn(t, s)
	defer stop()
	head := fmt.Sprintf("POST /v1/jobs HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n", maxBody)
	for range strangerBodies / maxBody {
		conn, err := net.Dial("tcp", strings.TrimPrefix(url, "http://"))
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		if _, err := conn.Write([]byte(head)); err != nil {
			t.Fatal(err)
		}
		// The server asks for the body when it begins to read it, and so has reserved its room.
		if line, err := bufio.NewReader(conn).ReadString('\n'); err != nil || !strings.Contains(line, "100 Continue") {
			t.Fatalf("%q, %v, want 100 Continue", line, err)
		}
	}
	if s.server.budgets.strangers.TryAcquire(smallBody) {
		t.Error("there is room left for strangers")
	}
	if a := s.post("/v1/jobs", sized(maxBody)); a.status != 202 {
		t.Errorf("a tenant: %d %s, want 202", a.status, a.raw)
	}
}

// However a request ends, what it had of the budget is given back.
func TestBudgetIsGivenBack(t *testing.T) {
	s := newStack(t, nil)
	consume(t, s.queue, func(job.Spec) job.Result {
		ctx, cancel := context.WithTimeout(t.Context(), patience.Long()) // the handler may be about to drop it
		defer cancel()
		if s.server.budgets.tenants.Acquire(ctx, tenantBodies) != nil {
			t.Error("a request that waits for its job still has room for its body")
			return exited(0, "")
		}
		s.server.budgets.tenants.Release(tenantBodies)
		return exited(0, "")
	})
	if a := s.post("/v1/jobs?waitMs=20000", sized(maxBody)); a.status != 200 {
		t.Errorf("%d %s, want 200", a.status, a.raw)
	}
	for name, a := range map[string]answer{
		"bad JSON": s.post("/v1/jobs", strings.Repeat("x", maxBody)),
		"invalid":  s.post("/v1/jobs", "[]"+strings.Repeat(" ", maxBody-2)),
		"unknown":  s.do("POST", "/v1/jobs", sized(maxBody), http.Header{"X-Api-Key": {"x"}}),
	} {
		if a.status != 400 && a.status != 401 {
			t.Errorf("%s: %d %s", name, a.status, a.raw)
		}
	}
	if !s.server.budgets.tenants.TryAcquire(tenantBodies) || !s.server.budgets.strangers.TryAcquire(strangerBodies) {
		t.Error("room is taken for good")
	}
}
