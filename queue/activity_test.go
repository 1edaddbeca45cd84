// SPDX-License-Identifier: Apache-2.0

package queue

import (
	"fmt"
	"math"
	"testing"
	"time"

	"github.com/ccee-dev/ccee/job"
)

func TestActivity(t *testing.T) {
	q, tenant := newQueue(t, Options{}), unique("tenant")
	for range 2 {
		finished(t, q, tenant)
	}
	enqueue(t, q, tenant)
	if err := claim(t, q, "w").Fail(t.Context(), Fault{Message: "m"}); err != nil {
		t.Fatal(err)
	}
	if err := q.PublishRuntimes(t.Context(), "idle", nil, time.Minute); err != nil {
		t.Fatal(err)
	}
	if err := q.PublishRuntimes(t.Context(), "ready", []job.Language{{Name: "python"}}, time.Minute); err != nil {
		t.Fatal(err)
	}
	// What happened a minute ago: the bucket of then.
	bucket := time.Now().Add(-time.Minute).UnixMilli() / tallyBucket.Milliseconds()
	q.rdb.HSet(t.Context(), q.keys.of("tally", fmt.Sprint(bucket)), "submitted", 10, "succeeded", 20, "ms", 1000)
	recent := Activity{Submitted: 3, Succeeded: 2, Failed: 1, Runtime: 180 * time.Millisecond, Workers: 2, Ready: 1}
	if a, err := q.Activity(t.Context(), 30*time.Second); err != nil || a != recent {
		t.Errorf("30 s: %+v, %v, want %+v", a, err, recent)
	}
	all := recent
	all.Submitted, all.Succeeded, all.Runtime = 13, 22, recent.Runtime+time.Second
	if a, err := q.Activity(t.Context(), 2*time.Minute); err != nil || a != all {
		t.Errorf("2 min: %+v, %v, want %+v", a, err, all)
	}
}

// A tenant's costs by day, today first, and not another's.
func TestCosts(t *testing.T) {
	q, tenant := newQueue(t, Options{}), unique("tenant")
	finished(t, q, tenant)
	finished(t, q, tenant)
	today := time.Now().UTC()
	date := func(back int) string { return today.AddDate(0, 0, -back).Format(time.DateOnly) }
	q.rdb.Set(t.Context(), q.keys.of("dailyCost", tenant, date(1)), "1.5", time.Hour)
	q.rdb.Set(t.Context(), q.keys.of("dailyCost", tenant, date(3)), "9", time.Hour)
	costs, err := q.Costs(t.Context(), tenant, 3)
	want := []DayCost{{date(0), 5.4e-7}, {date(1), 1.5}, {date(2), 0}}
	if err != nil || len(costs) != len(want) {
		t.Fatalf("%v, %v", costs, err)
	}
	for i := range want {
		if costs[i].Date != want[i].Date || math.Abs(costs[i].EstimatedCostUsd-want[i].EstimatedCostUsd) > 1e-12 {
			t.Errorf("%+v, want %+v", costs[i], want[i])
		}
	}
	for _, days := range []int{0, MaxCostDays + 1} {
		if _, err := q.Costs(t.Context(), tenant, days); err == nil {
			t.Errorf("%d days were taken", days)
		}
	}
	if costs, err := q.Costs(t.Context(), unique("other"), MaxCostDays); err != nil || len(costs) != MaxCostDays || costs[0].EstimatedCostUsd != 0 {
		t.Errorf("another tenant: %v, %v", costs, err)
	}
}
