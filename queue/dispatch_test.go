// SPDX-License-Identifier: Apache-2.0

package queue

import (
	"errors"
	"testing"

	"github.com/ccee-dev/ccee/e2e/patience"
	"github.com/ccee-dev/ccee/job"
)

func TestDispatch(t *testing.T) {
	q, tenant := newQueue(t, Options{}), unique("tenant")
	id := enqueue(t, q, tenant)
	l := claim(t, q, "w")
	d := job.Dispatch{TaskARN: "arn:task/1", TaskDefinitionARN: "arn:def/small:3", ComputeTier: "small", PurchaseOption: "spot"}
	if err := l.Dispatch(t.Context(), d); err != nil {
		t.Fatal(err)
	}
	if r := get(t, q, tenant, id); r.Shown() != Dispatched || r.Status != Running || r.Dispatch != d {
		t.Errorf("shown %s, stored %s, %+v", r.Shown(), r.Status, r.Dispatch)
	}
	// The keys of the metadata are the original's.
	page, err := q.Events(t.Context(), tenant, "", 1)
	if err != nil || len(page) != 1 || page[0].Action != "job_dispatched" || page[0].Actor != "worker" {
		t.Fatalf("audit %+v, %v", page, err)
	}
	if got := string(page[0].Metadata); got != `{"traceId":"trace-`+id+`","taskArn":"arn:task/1","taskDefinitionArn":"arn:def/small:3",`+
		`"computeTier":"small","purchaseOption":"spot"}` {
		t.Errorf("metadata %s", got)
	}
	if _, err := l.Release(t.Context(), "x"); err != nil {
		t.Fatal(err)
	}
	if err := l.Dispatch(t.Context(), d); !errors.Is(err, ErrLeaseLost) {
		t.Errorf("dispatch without the lease = %v, want ErrLeaseLost", err)
	}
	// The next attempt may run elsewhere.
	l = claim(t, q, "w")
	if r := get(t, q, tenant, id); r.Dispatch != (job.Dispatch{}) || r.Shown() != Running {
		t.Errorf("after another claim: %s, %+v", r.Shown(), r.Dispatch)
	}
	if err := l.Dispatch(t.Context(), d); err != nil {
		t.Fatal(err)
	}
	o := outcome("x")
	o.Dispatch = d
	if err := l.Complete(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	if r := get(t, q, tenant, id); r.Shown() != Succeeded || r.Dispatch != d {
		t.Errorf("at the end: %s, %+v", r.Shown(), r.Dispatch)
	}
}

// A space's steps and notices work, and two queues in one Redis have different spaces.
func TestSpace(t *testing.T) {
	a, b := newQueue(t, Options{}).Space("s"), newQueue(t, Options{}).Space("s")
	defer a.Close()
	defer b.Close()
	const set = "redis.call('SET', SPACE .. 'k', ARGV[1]) redis.call('PUBLISH', NOTICES, 'id') return redis.call('GET', SPACE .. 'k')"
	const get = "return redis.call('GET', SPACE .. 'k')"
	changed, stop := a.Watch("id")
	defer stop()
	patience.Receive(t, changed, "the subscription")
	if v, err := a.Step(set).Run(t.Context(), "set", "v"); v != "v" || err != nil {
		t.Errorf("set = %v, %v", v, err)
	}
	patience.Receive(t, changed, "the notice")
	if v, err := b.Step(get).Run(t.Context(), "get"); v != nil || err != nil {
		t.Errorf("the other queue's = %v, %v, want none", v, err)
	}
}
