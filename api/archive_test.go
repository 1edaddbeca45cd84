// SPDX-License-Identifier: Apache-2.0

package api

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/ccee-dev/ccee/queue"
)

// fakeArchive answers with err, or with what it has.
type fakeArchive struct {
	Archive // what the tests don't ask
	err     error
	costs   map[string]float64
	events  []queue.Event
	asked   string // the tenant of the last question
}

func (a *fakeArchive) Ping(context.Context) error { return a.err }

func (a *fakeArchive) Get(_ context.Context, tenant, _ string) (queue.Record, error) {
	a.asked = tenant
	if a.err != nil {
		return queue.Record{}, a.err
	}
	return queue.Record{}, queue.ErrNotFound
}

func (a *fakeArchive) Size(ctx context.Context, tenant, id string) (int64, error) {
	_, err := a.Get(ctx, tenant, id)
	return 0, err
}

func (a *fakeArchive) History(context.Context, string, queue.HistoryQuery) (queue.Page, error) {
	return queue.Page{}, a.err
}

func (a *fakeArchive) Costs(_ context.Context, tenant string, _, _ time.Time) (map[string]float64, error) {
	a.asked = tenant
	return a.costs, a.err
}

func (a *fakeArchive) Events(_ context.Context, tenant, _ string, limit int) ([]queue.Event, error) {
	a.asked = tenant
	return a.events[:min(limit, len(a.events))], a.err
}

// What Redis has is shown without the archive too; what only the archive could have is not said not to be.
func TestArchiveUnreachable(t *testing.T) {
	a := &fakeArchive{err: errors.New("no such host")}
	s := newStack(t, func(o *Options) { o.Archive = a })
	id := s.submit(helloPython)
	for _, row := range []struct {
		path   string
		status int
		part   string
	}{
		{"/v1/jobs/" + id, 200, `"queued"`},
		{"/v1/jobs/none", 503, `"archive_unreachable"`},
		{"/v1/jobs", 200, `"archiveUnavailable":true`},
		{"/v1/audit", 200, `"archiveUnavailable":true`},
		{"/v1/audit", 200, `"job_submitted"`},
		{"/v1/audit?limit=1", 200, `"archiveUnavailable":true`}, // whether there is more only the archive knows
		{"/v1/costs?days=30", 200, `"daily"`},
		{"/v1/costs?days=31", 503, `"archive_unreachable"`},
	} {
		if got := s.get(row.path); got.status != row.status || !strings.Contains(got.raw, row.part) {
			t.Errorf("%s: %d %s, want %d with %s", row.path, got.status, got.raw, row.status, row.part)
		} else if row.status == 503 && got.header.Get("Retry-After") == "" {
			t.Errorf("%s: no Retry-After", row.path)
		}
	}
}

// Days and events that Redis no longer has come from the archive, each in its place.
func TestArchiveGoesOn(t *testing.T) {
	old := time.Now().UTC().AddDate(0, 0, -40).Format(time.DateOnly)
	event := func(place string) queue.Event {
		return queue.Event{StreamID: place, Timestamp: time.UnixMilli(1), Actor: "api", Action: "job_submitted", Metadata: []byte(`{"traceId":"t"}`)}
	}
	a := &fakeArchive{costs: map[string]float64{old: 0.25}, events: []queue.Event{event("2-0"), event("1-0")}}
	s := newStack(t, func(o *Options) { o.Archive = a })
	s.submit(helloPython)
	daily := s.get("/v1/costs?days=50").at("daily").([]any)
	if len(daily) != 50 {
		t.Fatalf("%d days", len(daily))
	}
	for i, d := range daily {
		d := d.(map[string]any)
		if date := time.Now().UTC().AddDate(0, 0, -i).Format(time.DateOnly); d["date"] != date || d["estimatedCostUsd"] != a.costs[date] {
			t.Errorf("day %d: %v", i, d)
		}
	}
	page := s.get("/v1/audit?limit=2")
	if events := page.at("events").([]any); len(events) != 2 || events[1].(map[string]any)["streamId"] != "2-0" || page.at("nextCursor") != "2-0" || strings.Contains(page.raw, "archiveUnavailable") {
		t.Errorf("%s", page.raw)
	}
	if a.asked != s.tenant {
		t.Errorf("the archive was asked for tenant %q", a.asked)
	}
}

func TestMergePages(t *testing.T) {
	page := func(next string, names ...string) queue.Page {
		p := queue.Page{Next: next}
		for _, n := range names { // "5b": at 5 ms, id b
			p.Jobs = append(p.Jobs, queue.Record{ID: n[1:], CreatedAt: time.UnixMilli(int64(n[0] - '0'))})
		}
		return p
	}
	for _, row := range []struct {
		name    string
		a, b    queue.Page
		want    string
		endsAll bool
	}{
		{"nothing", page(""), page(""), "", true},
		{"one after the other", page("", "9a", "8b"), page("", "7c"), "a b c", true},
		{"in turn", page("", "9a", "5d"), page("", "7b", "6c"), "a b c", false},
		{"both have it", page("", "9a", "8b"), page("", "9a", "8b", "7c"), "a b c", true},
		{"one millisecond", page("", "9b"), page("", "9c", "9a"), "c b a", true},
		{"the archive has more", page("", "9a"), page("x", "8b", "7c", "6d"), "a b c", false},
		{"it has more behind", page("", "9a"), page("x", "8b", "7c"), "a b c", false},
	} {
		got := mergePages(row.a, row.b, 3)
		var ids []string
		for _, j := range got.Jobs {
			ids = append(ids, j.ID)
		}
		if strings.Join(ids, " ") != row.want || (got.Next == "") != row.endsAll {
			t.Errorf("%s: %v, next %q; want %s, at the end %v", row.name, ids, got.Next, row.want, row.endsAll)
		}
	}
}
