// SPDX-License-Identifier: Apache-2.0

package queue

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/ccee-dev/ccee/e2e/patience"
	"github.com/ccee-dev/ccee/job"
)

// bytesTaken is what a stored job takes as stored.go says it, by reading all that is there.
func bytesTaken(t *testing.T, q *Queue, tenant, id string) int64 {
	t.Helper()
	h := hash(q.rdb.HGetAll(t.Context(), q.keys.job(id)).Val())
	if h["tenantId"] != tenant {
		return 0
	}
	n := int64(4096)
	for _, field := range []string{"sourceCode", "stdin", "spec", "result", "outputFiles", "summary", "analysis"} {
		n += int64(len(h[field]))
	}
	if h["webhookUrl"] != "" {
		n += 7168
	}
	if !State(h["status"]).Final() {
		n += h.integer("reservedBytes")
	}
	for _, m := range q.rdb.XRange(t.Context(), q.keys.events(id), "-", "+").Val() {
		n += int64(len(text(m.Values["event"])))
	}
	return n
}

// wantBooked fails the test unless the books of the tenant say what its jobs of those ids take, and nothing else.
func wantBooked(t *testing.T, q *Queue, tenant string, ids []string) {
	t.Helper()
	sum := int64(0)
	for _, id := range ids {
		sum += bytesTaken(t, q, tenant, id)
	}
	u, err := q.Usage(t.Context(), tenant)
	if err != nil || u.StoredBytes != sum {
		t.Fatalf("%s: %d bytes are booked, its jobs take %d (%v)", tenant, u.StoredBytes, sum, err)
	}
	parts := int64(0)
	for id, n := range q.rdb.HGetAll(t.Context(), q.keys.of("stored", tenant)).Val() {
		if id == "" {
			continue
		}
		size, _ := strconv.ParseInt(n, 10, 64)
		parts += size
		looked := time.Until(time.UnixMilli(int64(q.rdb.ZScore(t.Context(), q.keys.of("storedUntil", tenant), id).Val())))
		if ttl := q.rdb.PTTL(t.Context(), q.keys.job(id)).Val(); ttl > 0 && looked > ttl+time.Minute {
			t.Fatalf("%s: job %s expires in %v, and its bytes are booked for %v", tenant, id, ttl, looked)
		}
	}
	if parts != sum {
		t.Fatalf("%s: the books have %d bytes in parts, their sum is %d", tenant, parts, sum)
	}
}

// filler takes random steps with the jobs of some tenants.
type filler struct {
	t       *testing.T
	q       *Queue
	r       *rand.Rand
	tenants []string
	ids     map[string][]string // by tenant, of all jobs that ever were

}

// any is a job that ever was; "" if there was none.
func (f *filler) any() (tenant, id string) {
	tenant = f.tenants[f.r.IntN(len(f.tenants))]
	if ids := f.ids[tenant]; len(ids) > 0 {
		id = ids[f.r.IntN(len(ids))]
	}
	return tenant, id
}

func (f *filler) text(most int) string { return strings.Repeat("x", f.r.IntN(most)) }

func (f *filler) submit() {
	tenant := f.tenants[f.r.IntN(len(f.tenants))]
	s := submission(tenant, unique("job"))
	s.Spec.Source, s.Spec.Stdin, s.MaxAttempts = "#"+f.text(9000), []byte(f.text(5000)), 1+f.r.IntN(2)
	if f.r.IntN(3) == 0 {
		s.Webhook = Webhook{"https://example.com/" + f.text(900), "secret"}
	}
	if f.r.IntN(3) == 0 {
		s.Spec.Run.OutputBytes, s.Spec.OutputFiles = job.MiB, []string{"*"}
	}
	f.ids[tenant] = append(f.ids[tenant], enqueueSub(f.t, f.q, s))
}

// run claims a job, if one waits, and ends it in one of the ways in which jobs end.
func (f *filler) run() error {
	ctx := f.t.Context()
	l, _, err := f.q.tryClaim(ctx, taker("w"))
	if l == nil || err != nil {
		return err
	}
	if f.r.IntN(2) == 0 {
		if err := l.Emit(ctx, []job.Event{{Type: job.EventStdout, Step: "run", Data: []byte(f.text(20_000))}}); err != nil {
			return err
		}
	}
	switch f.r.IntN(5) {
	case 0:
		_, err = l.Retry(ctx, Fault{Message: "m", Cause: "c"})
	case 1:
		err = l.Fail(ctx, Fault{Message: "m", Cause: "c"})
	case 2:
		_, err = l.Release(ctx, "no room")
	default:
		o := outcome(f.text(60_000))
		o.Result.OutputFiles = &job.OutputFiles{Files: []job.File{{Name: "a", Data: []byte(f.text(30_000))}}}
		err = l.Complete(ctx, o)
	}
	return err
}

// touch does something to any job.
func (f *filler) touch() error {
	ctx, q := f.t.Context(), f.q
	tenant, id := f.any()
	var err error
	switch f.r.IntN(8) {
	case 0:
		err = q.Purge(ctx, tenant, id)
	case 1:
		_, err = q.Cancel(ctx, tenant, id)
	case 2:
		err = q.SetAnalysis(ctx, tenant, id, Analysis{Report: []byte(`{"a":"` + f.text(3000) + `"}`)}, struct{}{})
	case 3:
		var dead []DeadLetter
		dead, err = q.DeadLetters(ctx, 3)
		for _, d := range dead {
			_, again := q.Replay(ctx, d, 1)
			err = errors.Join(err, again)
		}
	case 4:
		_, err = q.HoldArchive(ctx, "holder", time.Minute)
	case 5:
		var list []Unarchived
		list, err = q.Unarchived(ctx, 5)
		for _, u := range list {
			err = errors.Join(err, q.Archived(ctx, u))
		}
	case 6:
		_, err = q.LiveEvents(ctx, id, "")
	default: // what Redis does in its time
		q.rdb.PExpire(ctx, []string{q.keys.job(id), q.keys.events(id)}[f.r.IntN(2)], 0)
		f.due(tenant)
	}
	if errors.Is(err, ErrNotFound) || errors.Is(err, ErrUnfinished) {
		return nil
	}
	return err
}

// due makes the tenant's books due: the time at which a job goes is then now, and not in a day.
func (f *filler) due(tenant string) {
	key := f.q.keys.of("storedUntil", tenant)
	for _, id := range f.q.rdb.ZRange(f.t.Context(), key, 0, -1).Val() {
		f.q.rdb.Do(f.t.Context(), "zadd", key, "xx", 0, id)
	}
}

// Whatever is done to jobs, the books say what is there.
func TestBooksAreRight(t *testing.T) {
	for seed := range uint64(3) {
		q := newQueue(t, Options{RetryBackoff: time.Millisecond, RetryMaxDelay: time.Millisecond})
		f := &filler{t: t, q: q, r: rand.New(rand.NewPCG(seed, 1)), ids: map[string][]string{}, tenants: []string{unique("a"), unique("b"), unique("c")}}
		for n := range 250 {
			var err error
			switch f.r.IntN(4) {
			case 0:
				f.submit()
			case 1:
				err = f.run()
			default:
				err = f.touch()
			}
			if err != nil {
				t.Fatalf("seed %d, step %d: %v", seed, n, err)
			}
			for _, tenant := range f.tenants {
				wantBooked(t, q, tenant, f.ids[tenant])
			}
		}
	}
}

// What is gone for good leaves no books.
func TestBooksEnd(t *testing.T) {
	q, tenant := newQueue(t, Options{JobTTL: time.Second}), unique("tenant")
	enqueue(t, q, tenant)
	if err := claim(t, q, "w").Complete(t.Context(), outcome("x")); err != nil {
		t.Fatal(err)
	}
	patience.Until(t, "the job is forgotten", func() (bool, string) {
		u, err := q.Usage(t.Context(), tenant)
		return err == nil && u.StoredBytes == 0, fmt.Sprint(u, err)
	})
	if n := q.rdb.Exists(t.Context(), q.keys.of("stored", tenant), q.keys.of("storedUntil", tenant)).Val(); n != 0 {
		t.Errorf("%d books are left", n)
	}
}

// Memory that Redis itself counts for a job, of each kind, must not be much more than what is booked.
func TestBooksAreTrue(t *testing.T) {
	q := newQueue(t, Options{})
	for name, kind := range map[string]func(*Submission, *Outcome) int{ // returns bytes of events
		"small": func(*Submission, *Outcome) int { return 0 },
		"webhook": func(s *Submission, _ *Outcome) int {
			s.Webhook = Webhook{"https://example.com/", "0123456789abcdef"}
			return 0
		},
		"source": func(s *Submission, _ *Outcome) int { s.Spec.Source = strings.Repeat("x=1\n", 25_000); return 0 },
		"output": func(_ *Submission, o *Outcome) int { o.Result.Steps[0].Stdout = noise(job.MiB); return 0 },
		"events": func(*Submission, *Outcome) int { return job.MiB },
		"idempotency": func(s *Submission, _ *Outcome) int {
			s.IdempotencyKey, s.RequestDigest = unique("key"), strings.Repeat("d", 64)
			return 0
		},
	} {
		tenant := unique(name)
		before := memoryOf(t, q, tenant, "")
		const jobs = 5
		var keys strings.Builder
		for range jobs {
			s, o := submission(tenant, unique("job")), outcome("hello\n")
			events := kind(&s, &o)
			keys.WriteString(" " + enqueueSub(t, q, s))
			l := claim(t, q, "w")
			for at := 0; at < events; at += 16 << 10 {
				if err := l.Emit(t.Context(), []job.Event{{Type: job.EventStdout, Step: "run", Data: noise(16 << 10).Data}}); err != nil {
					t.Fatal(err)
				}
			}
			if err := l.Complete(t.Context(), o); err != nil {
				t.Fatal(err)
			}
			for s.Webhook.URL != "" { // its log is full
				d := claimDelivery(t, q)
				if err := q.Delivered(t.Context(), d, DeliveryAttempt{At: time.Now(), Attempt: d.Attempt, Error: strings.Repeat("e", 60), NextAt: time.Now()}, time.Millisecond); err != nil {
					t.Fatal(err)
				}
				if q.rdb.LLen(t.Context(), q.keys.deliveries(s.Spec.ID)).Val() == maxDeliveries {
					if err := q.Delivered(t.Context(), d, DeliveryAttempt{}, 0); err != nil {
						t.Fatal(err)
					}
					break
				}
			}
		}
		got := memoryOf(t, q, tenant, keys.String()) - before
		u, err := q.Usage(t.Context(), tenant)
		if err != nil {
			t.Fatal(err)
		}
		ratio := float64(got) / float64(u.StoredBytes)
		t.Logf("%s: a job takes %d bytes, %d are booked: %.2f", name, got/jobs, u.StoredBytes/jobs, ratio)
		if ratio > 1.35 || ratio < 0.3 { // the allocator rounds up, by a quarter at most
			t.Errorf("%s: Redis counts %.2f times what is booked", name, ratio)
		}
	}
}

// memoryOf sums up what Redis counts for the keys of a tenant and of those jobs.
func memoryOf(t *testing.T, q *Queue, tenant, ids string) (sum int64) {
	t.Helper()
	it := q.rdb.Scan(t.Context(), 0, "*", 1000).Iterator()
	for it.Next(t.Context()) {
		key := it.Val()
		id, _, _ := strings.Cut(strings.TrimPrefix(key, "job:"), ":")
		if strings.Contains(key, "tenant:"+tenant) || strings.HasPrefix(key, "job:") && strings.Contains(ids+" ", " "+id+" ") {
			sum += q.rdb.MemoryUsage(t.Context(), key, 0).Val()
		}
	}
	return sum
}

// noise is output that can't be compressed, and is no text.
func noise(n int) job.Output {
	var src rand.ChaCha8
	src.Seed([32]byte{1})
	b := make([]byte, n)
	_, _ = src.Read(b)
	return job.Output{Data: b, Bytes: int64(n)}
}

// A tenant that has stored too much is refused, says what to do, and hurts no other; a result is stored whatever was stored before.
func TestStoredQuota(t *testing.T) {
	q, a, b := newQueue(t, Options{}), unique("a"), unique("b")
	submit := func(tenant string) (string, error) {
		s := submission(tenant, unique("job"))
		s.MaxStored = 2 * job.MiB
		_, err := q.Submit(t.Context(), s)
		return s.Spec.ID, err
	}
	var first string
	var full *QuotaError
	stored := 0
	for full == nil {
		id, err := submit(a)
		if errors.As(err, &full) {
			break
		}
		if err != nil || stored > 10 {
			t.Fatalf("after %d results: %v", stored, err)
		}
		if first == "" {
			first = id
		}
		o := outcome("")
		o.Result.Steps[0].Stdout = noise(job.MiB)
		if err := claim(t, q, "w").Complete(t.Context(), o); err != nil {
			t.Fatal(err)
		}
		stored++
	}
	if stored != 2 { // of a little more than 1 MiB each: the second goes beyond the quota, and is stored all the same
		t.Errorf("%d results were stored, want 2", stored)
	}
	if full.Reason != MaxStoredBytes || full.MaxStored != 2*job.MiB || full.Stored <= full.MaxStored || full.StoredLess < 23*time.Hour || full.StoredLess > 24*time.Hour {
		t.Errorf("%+v: want %s, and that some is forgotten in a day", full, MaxStoredBytes)
	}
	if _, err := submit(b); err != nil {
		t.Errorf("another tenant: %v", err)
	}
	if err := q.Purge(t.Context(), a, first); err != nil {
		t.Fatal(err)
	}
	if _, err := submit(a); err != nil {
		t.Errorf("after a job was deleted: %v", err)
	}
}

// What somebody deleted by hand is found before a job is refused for it.
func TestStoredQuotaFindsWhatIsGone(t *testing.T) {
	q, tenant := newQueue(t, Options{}), unique("tenant")
	s := submission(tenant, unique("job"))
	s.Spec.Stdin, s.MaxStored = bytes.Repeat([]byte("x"), 1_000_000), job.MiB
	id := enqueueSub(t, q, s)
	s.Spec.ID = unique("job")
	if _, err := q.Submit(t.Context(), s); !errors.As(err, new(*QuotaError)) {
		t.Fatalf("%v, want it refused", err)
	}
	if err := q.rdb.Del(t.Context(), q.keys.job(id)).Err(); err != nil {
		t.Fatal(err)
	}
	if _, err := q.Submit(t.Context(), s); err != nil {
		t.Errorf("after the first is gone: %v", err)
	}
}

// A job that may bring much back is booked with it until it has ended; a repetition by its idempotency key is no further job.
func TestStoredQuotaOfWhatComes(t *testing.T) {
	q, tenant := newQueue(t, Options{}), unique("tenant")
	s := submission(tenant, unique("job"))
	s.MaxStored, s.Spec.OutputFiles, s.Spec.Run.OutputFilesBytes = 8*job.MiB, []string{"*"}, 4*job.MiB
	s.IdempotencyKey, s.RequestDigest = "key", "digest"
	id := enqueueSub(t, q, s)
	if u, err := q.Usage(t.Context(), tenant); err != nil || u.StoredBytes < 5*job.MiB || u.StoredBytes > 6*job.MiB {
		t.Errorf("%+v, %v: want 4 MiB in base64 booked", u, err)
	}
	again := s
	again.Spec.ID = unique("job")
	if a, err := q.Submit(t.Context(), again); err != nil || !a.Replayed || a.ID != id {
		t.Errorf("the same key: %+v, %v", a, err)
	}
	again.IdempotencyKey = "another"
	if _, err := q.Submit(t.Context(), again); !errors.As(err, new(*QuotaError)) {
		t.Errorf("a second one: %v, want it refused", err)
	}
	if err := claim(t, q, "w").Complete(t.Context(), outcome("x")); err != nil {
		t.Fatal(err)
	}
	if _, err := q.Submit(t.Context(), again); err != nil {
		t.Errorf("when the first has ended: %v", err)
	}
}

// A job of any size may be the only one.
func TestStoredQuotaOfOne(t *testing.T) {
	q, tenant := newQueue(t, Options{}), unique("tenant")
	s := submission(tenant, unique("job"))
	s.MaxStored = 1
	enqueueSub(t, q, s)
}
