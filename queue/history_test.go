// SPDX-License-Identifier: Apache-2.0

package queue

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/ccee-dev/ccee/job"
)

// pages returns the ids that the history has, page by page.
func pages(t *testing.T, q *Queue, tenant string, h HistoryQuery) (ids []string) {
	t.Helper()
	for {
		p, err := q.History(t.Context(), tenant, h)
		if err != nil {
			t.Fatal(err)
		}
		if len(p.Jobs) > h.Limit || p.Next != "" && len(p.Jobs) != h.Limit {
			t.Fatalf("a page of %d jobs with the cursor %q, the limit is %d", len(p.Jobs), p.Next, h.Limit)
		}
		for _, r := range p.Jobs {
			ids = append(ids, r.ID)
		}
		if len(ids) > 1000 {
			t.Fatalf("the pages don't end: %q after %d jobs", p.Next, len(ids))
		}
		if h.Cursor = p.Next; h.Cursor == "" {
			return ids
		}
	}
}

func TestHistoryIsNewestFirst(t *testing.T) {
	q, tenant := newQueue(t, Options{HistoryMax: 5}), unique("tenant")
	enqueue(t, q, unique("other"))
	for range 7 {
		enqueue(t, q, tenant)
	}
	p, err := q.History(t.Context(), tenant, HistoryQuery{Limit: 100})
	if err != nil || len(p.Jobs) != 5 || p.Next != "" {
		t.Fatalf("history = %v, %v, want the 5 jobs that it holds", p, err)
	}
	if !slices.IsSortedFunc(p.Jobs, func(a, b Record) int { return b.CreatedAt.Compare(a.CreatedAt) }) {
		t.Errorf("not newest first: %v", p.Jobs)
	}
	gone := p.Jobs[1].ID
	if err := q.rdb.Del(t.Context(), q.keys.job(gone)).Err(); err != nil {
		t.Fatal(err)
	}
	if got := pages(t, q, tenant, HistoryQuery{Limit: 3}); len(got) != 4 || slices.Contains(got, gone) {
		t.Errorf("history = %v, want the 4 that are left without the expired %s", got, gone)
	}
	if ttl := q.rdb.TTL(t.Context(), q.keys.history(tenant)).Val(); ttl <= 23*time.Hour || ttl > 24*time.Hour {
		t.Errorf("the history expires in %v, want 24h", ttl)
	}
}

// Each job comes once, whatever the size of the pages, also when many were submitted in one millisecond and others come meanwhile.
func TestHistoryPages(t *testing.T) {
	q, tenant := newQueue(t, Options{}), unique("tenant")
	var want []string
	for range 25 {
		id := enqueue(t, q, tenant)
		want = append(want, id)
		at := float64(time.Now().Add(-time.Minute).Truncate(time.Minute).UnixMilli())
		q.rdb.ZAdd(t.Context(), q.keys.history(tenant), redisZ(at, id))
		q.rdb.HSet(t.Context(), q.keys.job(id), "createdAt", time.UnixMilli(int64(at)).UTC().Format("2006-01-02T15:04:05.000Z"))
	}
	slices.Sort(want)
	slices.Reverse(want)
	for _, limit := range []int{1, 2, 7, 24, 25, 26, 200} {
		if got := pages(t, q, tenant, HistoryQuery{Limit: limit}); !slices.Equal(got, want) {
			t.Errorf("pages of %d: %v, want %v", limit, got, want)
		}
	}
	p, err := q.History(t.Context(), tenant, HistoryQuery{Limit: 5})
	if err != nil {
		t.Fatal(err)
	}
	enqueue(t, q, tenant) // a newcomer moves nothing
	if got := pages(t, q, tenant, HistoryQuery{Limit: 5, Cursor: p.Next}); !slices.Equal(got, want[5:]) {
		t.Errorf("after the first page: %v, want %v", got, want[5:])
	}
}

func TestHistoryFilters(t *testing.T) {
	q, tenant := newQueue(t, Options{}), unique("tenant")
	done := enqueue(t, q, tenant)
	if err := claim(t, q, "w").Complete(t.Context(), outcome("text")); err != nil {
		t.Fatal(err)
	}
	waits := enqueue(t, q, tenant)
	at := get(t, q, tenant, done).CreatedAt
	for name, tt := range map[string]struct {
		h    HistoryQuery
		want []string
	}{
		"succeeded":   {HistoryQuery{Status: Succeeded}, []string{done}},
		"queued":      {HistoryQuery{Status: Queued}, []string{waits}},
		"none":        {HistoryQuery{Status: Failed}, nil},
		"to":          {HistoryQuery{To: at.Add(-time.Millisecond)}, nil},
		"from":        {HistoryQuery{From: time.Now().Add(time.Hour)}, nil},
		"that moment": {HistoryQuery{From: at, To: at, Status: Succeeded}, []string{done}},
	} {
		tt.h.Limit = 1
		if got := pages(t, q, tenant, tt.h); !slices.Equal(got, tt.want) {
			t.Errorf("%s: %v, want %v", name, got, tt.want)
		}
	}
}

func TestHistorySummaries(t *testing.T) {
	q, tenant := newQueue(t, Options{}), unique("tenant")
	enqueue(t, q, tenant)
	if err := claim(t, q, "w").Complete(t.Context(), outcome("text")); err != nil {
		t.Fatal(err)
	}
	p, err := q.History(t.Context(), tenant, HistoryQuery{Limit: 1})
	if err != nil || len(p.Jobs) != 1 || p.Jobs[0].Result == nil {
		t.Fatalf("%+v, %v", p, err)
	}
	if r := p.Jobs[0].Result; r.Verdict != job.Exited || *r.ExitCode != 0 || r.WallMs != 90 || len(r.Steps) != 0 {
		t.Errorf("result %+v", r)
	}
}

func TestBadCursors(t *testing.T) {
	q := newQueue(t, Options{})
	for _, c := range []string{"x", "!", "MTIz", "IA", "LTEgYQ", "OTk5OTk5OTk5OTk5OTk5OTk5OTk5IGE"} {
		if _, err := q.History(t.Context(), "t", HistoryQuery{Limit: 1, Cursor: c}); !errors.Is(err, ErrCursor) {
			t.Errorf("cursor %q: %v, want ErrCursor", c, err)
		}
	}
}

func FuzzParseCursor(f *testing.F) {
	f.Add(Record{ID: "a", CreatedAt: time.UnixMilli(1)}.Cursor())
	f.Fuzz(func(t *testing.T, s string) {
		ms, id, err := ParseCursor(s)
		if err != nil {
			return
		}
		again, id2, err := ParseCursor(Record{ID: id, CreatedAt: time.UnixMilli(ms)}.Cursor())
		if err != nil || again != ms || id2 != id {
			t.Errorf("%q is %d %q, and back %d %q, %v", s, ms, id, again, id2, err)
		}
	})
}

// A history has as many jobs as are allowed, the newest ones.
func TestHistoryIsBounded(t *testing.T) {
	q, tenant := newQueue(t, Options{HistoryMax: 3}), unique("tenant")
	var ids []string
	for range 5 {
		ids = append(ids, enqueue(t, q, tenant))
		// Jobs of one millisecond are sorted by id; these are to be sorted by time.
		q.rdb.ZAdd(t.Context(), q.keys.history(tenant), redisZ(float64(len(ids)), ids[len(ids)-1]))
		if got, want := q.rdb.ZRange(t.Context(), q.keys.history(tenant), 0, -1).Val(), ids[max(0, len(ids)-3):]; !slices.Equal(got, want) {
			t.Errorf("history %v, want %v", got, want)
		}
	}
}
