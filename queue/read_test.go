// SPDX-License-Identifier: Apache-2.0

package queue

import (
	"bytes"
	"context"
	"errors"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/ccee-dev/ccee/e2e/patience"
	"github.com/ccee-dev/ccee/job"
)

func TestGetIsPerTenant(t *testing.T) {
	q, tenant := newQueue(t, Options{}), unique("tenant")
	id := enqueue(t, q, tenant)
	for _, tt := range []struct{ tenant, id string }{{unique("other"), id}, {tenant, unique("job")}, {"", id}, {tenant, ""}} {
		if r, err := q.Get(t.Context(), tt.tenant, tt.id); !errors.Is(err, ErrNotFound) || r.ID != "" {
			t.Errorf("get(%q, %q) = %+v, %v, want ErrNotFound", tt.tenant, tt.id, r, err)
		}
		if s, err := q.Source(t.Context(), tt.tenant, tt.id); !errors.Is(err, ErrNotFound) || s != "" {
			t.Errorf("source(%q, %q) = %q, %v, want ErrNotFound", tt.tenant, tt.id, s, err)
		}
		if hook, log, err := q.Deliveries(t.Context(), tt.tenant, tt.id); !errors.Is(err, ErrNotFound) || hook.URL != "" || log != nil {
			t.Errorf("deliveries(%q, %q) = %+v, %v, %v, want ErrNotFound", tt.tenant, tt.id, hook, log, err)
		}
	}
	wantState(t, q, tenant, id, Queued)
	if s, err := q.Source(t.Context(), tenant, id); err != nil || s != "print(1)\n" {
		t.Errorf("the tenant's own source: %q, %v", s, err)
	}
}

func TestUnreadableResultReadsAsNone(t *testing.T) {
	q, tenant := newQueue(t, Options{}), unique("tenant")
	id := enqueue(t, q, tenant)
	if err := q.rdb.HSet(t.Context(), q.keys.job(id), "result", "{").Err(); err != nil {
		t.Fatal(err)
	}
	if r := get(t, q, tenant, id); r.Result != nil {
		t.Errorf("result = %+v, want none", r.Result)
	}
}

// TestOutputFilesAreReadAlone: files come with the job that they are of, byte for byte, and not with a history.
func TestOutputFilesAreReadAlone(t *testing.T) {
	q, tenant := newQueue(t, Options{}), unique("tenant")
	id := enqueue(t, q, tenant)
	o := outcome("x")
	want := job.OutputFiles{Files: []job.File{{Name: "a", Data: bytes.Repeat([]byte{0, 0xff}, 2*job.MiB), Exec: true}}, Skipped: []job.Skipped{{Name: "\xff\n", Reason: job.SkipName}}, More: 3}
	o.Result.OutputFiles = &want
	if err := claim(t, q, "w").Complete(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	if got := get(t, q, tenant, id).Result.OutputFiles; got == nil || !reflect.DeepEqual(*got, want) {
		t.Errorf("the files are not those that were stored: %.200v", got)
	}
	p, err := q.History(t.Context(), tenant, HistoryQuery{Limit: 1})
	if rs := p.Jobs; err != nil || len(rs) != 1 || rs[0].Result == nil || rs[0].Result.OutputFiles != nil {
		t.Errorf("list = %.300v, %v, want the result without files", p, err)
	}
}

func TestWaitIsWoken(t *testing.T) {
	q, tenant := newQueue(t, Options{}), unique("tenant")
	id := enqueue(t, q, tenant)
	l := claim(t, q, "w")
	type answer struct {
		r   Record
		err error
	}
	done := make(chan answer, 1)
	ctx := patience.Context(t)
	go func() {
		r, err := q.Wait(ctx, tenant, id)
		done <- answer{r, err}
	}()
	if err := l.Complete(t.Context(), outcome("x")); err != nil {
		t.Fatal(err)
	}
	if a := patience.Receive(t, done, "Wait ends with the job"); a.err != nil || a.r.Status != Succeeded || a.r.Result == nil {
		t.Errorf("wait = %+v, %v", a.r, a.err)
	}
}

func TestWaitEndsWithItsContext(t *testing.T) {
	q, tenant := newQueue(t, Options{}), unique("tenant")
	id := enqueue(t, q, tenant)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if r, err := q.Wait(ctx, tenant, id); !errors.Is(err, context.DeadlineExceeded) || r.Status != Queued {
		t.Errorf("wait = %s, %v, want the queued job and the context's error", r.Status, err)
	}
	if _, err := q.Wait(t.Context(), unique("other"), id); !errors.Is(err, ErrNotFound) {
		t.Errorf("wait for another tenant's job = %v, want ErrNotFound", err)
	}
	q.finished.mu.Lock()
	defer q.finished.mu.Unlock()
	if len(q.finished.watches) != 0 {
		t.Errorf("%d watches are left over", len(q.finished.watches))
	}
}

func TestWaitEndsWithClose(t *testing.T) {
	q, tenant := newQueue(t, Options{}), unique("tenant")
	id := enqueue(t, q, tenant)
	done := make(chan error, 1)
	go func() {
		_, err := q.Wait(t.Context(), tenant, id)
		done <- err
	}()
	q.Close()
	if err := patience.Receive(t, done, "Wait ends with the queue"); err == nil {
		t.Error("wait on a closed queue returned no error")
	}
}

func TestRuntimes(t *testing.T) {
	q := newQueue(t, Options{})
	publish := func(worker string, ttl time.Duration, langs ...job.Language) {
		t.Helper()
		if err := q.PublishRuntimes(t.Context(), worker, langs, ttl); err != nil {
			t.Fatal(err)
		}
	}
	want := func(names ...string) {
		t.Helper()
		f, err := q.Fleet(t.Context())
		var got []string
		for _, l := range f.Now {
			got = append(got, l.Name+l.Version)
		}
		if err != nil || !slices.Equal(got, names) {
			t.Errorf("runtimes = %v, %v, want %v", got, err, names)
		}
	}
	want()
	publish("w1", time.Minute, job.Language{Name: "python", Version: "3"}, job.Language{Name: "java", Version: "17"})
	publish("w2", 2*time.Minute, job.Language{Name: "python", Version: "4"})
	want("java17", "python4")
	publish("w2", 0)
	want("java17", "python3")
	// A worker that is silent is forgotten: its word is moved to the past instead of waiting for that.
	if err := q.rdb.ZAdd(t.Context(), q.keys.of("WORKERS"), redisZ(1, "w1")).Err(); err != nil {
		t.Fatal(err)
	}
	want()
	if n := q.rdb.HLen(t.Context(), q.keys.of("RUNTIMES")).Val(); n != 0 {
		t.Errorf("%d workers are left over", n)
	}
}

// A look leaves out what is large, however short it is stored, and says how much that is.
func TestLook(t *testing.T) {
	q, tenant := newQueue(t, Options{}), unique("tenant")
	for name, tt := range map[string]struct {
		bytes, said int
		large       bool
	}{"small": {100, 0, false}, "large": {SmallOutput, 0, true}, "short where it is stored": {100, 5 * job.MiB, true}} {
		id := enqueue(t, q, tenant)
		o := outcome(string(bytes.Repeat([]byte("x"), tt.bytes)))
		o.Result.OutputFiles = &job.OutputFiles{Files: []job.File{{Name: "a", Data: []byte("x")}}}
		if err := claim(t, q, "w").Complete(t.Context(), o); err != nil {
			t.Fatal(err)
		}
		if tt.said > 0 {
			q.rdb.HSet(t.Context(), q.keys.job(id), "outputBytes", tt.said)
		}
		whole := get(t, q, tenant, id)
		r, err := q.Look(t.Context(), tenant, id)
		if err != nil || (r.Large > 0) != tt.large || r.Large > 0 && r.Large < int64(max(tt.bytes, tt.said)) {
			t.Fatalf("%s: large %d, %v", name, r.Large, err)
		}
		if !tt.large && !reflect.DeepEqual(r, whole) {
			t.Errorf("%s: a look has %+v, want %+v", name, r, whole)
		}
		if tt.large && (r.Result == nil || r.Result.Steps != nil || r.Result.OutputFiles != nil || r.Status != Succeeded) {
			t.Errorf("%s: a look has %+v, want the summary", name, r.Result)
		}
		if _, err := q.Look(t.Context(), "other", id); !errors.Is(err, ErrNotFound) {
			t.Errorf("%s: another tenant's look: %v", name, err)
		}
	}
}

// Whoever watches a job looks again once the subscription holds: what was published before is lost.
func TestWatchBeginsWithALook(t *testing.T) {
	q := newQueue(t, Options{})
	changed, stop := q.finished.watch(unique("job"))
	defer stop()
	patience.Receive(t, changed, "the watcher is notified, though nothing was published")
}
