// SPDX-License-Identifier: Apache-2.0

package submit

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"github.com/ccee-dev/ccee/e2e/patience"
	"github.com/ccee-dev/ccee/job"
	"github.com/ccee-dev/ccee/queue"
)

// door is a service over a queue of the test's own, and what it told its observer.
type door struct {
	*Service
	t        testing.TB
	queue    *queue.Queue
	tenant   string // of this test alone
	drain    context.CancelFunc
	observed []string
}

func newDoor(t testing.TB, change func(*Options)) *door {
	t.Helper()
	d := &door{t: t, queue: newQueue(t), tenant: fmt.Sprint("tenant-", names.Add(1))}
	draining, drain := context.WithCancel(context.Background())
	t.Cleanup(drain)
	d.drain = drain
	o := Options{
		Queue: d.queue, Log: zerolog.Nop(), Languages: languages, RateLimit: 1000, SubmitLimit: 1000, RateWindow: time.Hour,
		MaxSourceBytes: 10, MaxStdinBytes: 10, MaxAttempts: 3, MaxStoredBytes: 1 << 20, Timeout: 10 * time.Second, Draining: draining,
		Observe: func(tenant, language string, a queue.Admission, err error) {
			d.observed = append(d.observed, fmt.Sprint(tenant, " ", language, " ", CodeOf(err), " ", a.Replayed))
		},
	}
	if change != nil {
		change(&o)
	}
	d.Service = New(o)
	return d
}

// someone is a principal of the test's tenant.
func (d *door) someone() Principal {
	return Principal{Tenant: d.tenant, Subject: "ann", Type: "api_key", Fingerprint: "f00", MaxConcurrentJobs: 100, MaxDailyJobs: 100}
}

var (
	request = Origin{TraceID: "trace-1", TraceParent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", Method: "POST", Path: "/v1/jobs"}
	hello   = Submission{Spec: job.Spec{Language: "python", Source: "print(1)"}, Request: queue.Request{TimeoutMs: 3000}, Priority: queue.High}
)

func (d *door) submit(who Principal, sub Submission) queue.Admission {
	d.t.Helper()
	a, err := d.Submit(d.t.Context(), who, request, sub)
	if err != nil {
		d.t.Fatal(err)
	}
	return a
}

// audited are the actions in the audit of the tenant, each with some of its metadata, the oldest first.
func (d *door) audited(members ...string) []string {
	d.t.Helper()
	events, err := d.queue.Events(d.t.Context(), d.tenant, "", 100)
	if err != nil {
		d.t.Fatal(err)
	}
	var all []string
	for _, e := range slices.Backward(events) {
		var line strings.Builder
		line.WriteString(e.Action)
		var metadata map[string]any
		if err := json.Unmarshal(e.Metadata, &metadata); err != nil {
			d.t.Fatal(err)
		}
		for _, name := range members {
			if v, there := metadata[name]; there {
				line.WriteString(fmt.Sprintf(" %s=%v", name, v))
			}
		}
		all = append(all, line.String())
	}
	return all
}

// The service sets what a front end must not choose: the id, the tenant and the trace.
func TestSubmit(t *testing.T) {
	d := newDoor(t, nil)
	sub := hello
	sub.Spec.ID, sub.Spec.Tenant = "forged", "another"
	a := d.submit(d.someone(), sub)
	if a.Requests.Used != 1 || a.Requests.Limit != 1000 {
		t.Errorf("window %+v", a.Requests)
	}
	rec, err := d.queue.Get(t.Context(), d.tenant, a.ID)
	if err != nil || rec.Language != "python" || rec.TraceID != "trace-1" || rec.Request.TimeoutMs != 3000 || rec.Priority != queue.High || rec.MaxAttempts != 3 {
		t.Errorf("%+v, %v", rec, err)
	}
	lease, err := d.queue.Claim(patience.Context(t), queue.Claimer{Worker: "w", Languages: []string{"python"}})
	if err != nil || lease.Job.ID != a.ID || a.ID == "forged" || lease.Job.Tenant != d.tenant || lease.Job.TraceParent != request.TraceParent {
		t.Errorf("%+v, %v", lease, err)
	}
	if got := d.audited("path", "authType", "subject"); len(got) == 0 || got[0] != "job_submitted authType=api_key subject=ann" {
		t.Errorf("audit %q", got)
	}
	if want := []string{d.tenant + " python  false"}; !slices.Equal(d.observed, want) {
		t.Errorf("observed %q, want %q", d.observed, want)
	}
}

// Each refusal has its code, and what a front end needs to explain it.
func TestRefusals(t *testing.T) {
	usual := func(*Principal) {}
	keyed := hello
	keyed.Key, keyed.Digest = "key", "one"
	big := func(change func(*job.Spec)) Submission {
		sub := hello
		change(&sub.Spec)
		return sub
	}
	for name, tt := range map[string]struct {
		options func(*Options)
		who     func(*Principal)
		first   *Submission // submitted before
		sub     Submission
		want    Code
		check   func(*Refusal) bool
	}{
		"requests":     {func(o *Options) { o.RateLimit = 1 }, usual, &hello, hello, RateLimited, func(r *Refusal) bool { return r.Rate.Limit == 1 && r.Rate.Used == 2 }},
		"submissions":  {func(o *Options) { o.SubmitLimit = 1 }, usual, &hello, hello, SubmitRateLimited, func(r *Refusal) bool { return r.Rate.Limit == 1 && r.Rate.Used == 2 }},
		"quota":        {nil, func(p *Principal) { p.MaxConcurrentJobs = 1 }, &hello, hello, QuotaExceeded, func(r *Refusal) bool { return r.Quota.Reason == queue.MaxConcurrentJobs && r.Quota.Active == 1 }},
		"stored bytes": {nil, func(p *Principal) { p.MaxStoredBytes = 1 }, &hello, hello, QuotaExceeded, func(r *Refusal) bool { return r.Quota.Reason == queue.MaxStoredBytes && r.Quota.MaxStored == 1 }},
		"stored bytes of all": {func(o *Options) { o.MaxStoredBytes = 1 }, usual, &hello, hello, QuotaExceeded,
			func(r *Refusal) bool { return r.Quota.Reason == queue.MaxStoredBytes && r.Quota.MaxStored == 1 }},
		"a key that was used": {nil, usual, &keyed, func() Submission { s := keyed; s.Digest = "two"; return s }(), KeyReused, func(*Refusal) bool { return true }},
		"a long source": {nil, usual, nil, big(func(s *job.Spec) { s.Source = strings.Repeat("x", 11) }), TooLarge,
			func(r *Refusal) bool { return *r.Size == Size{Field: "sourceCode", Bytes: 11, MaxBytes: 10} }},
		"a long input": {nil, usual, nil, big(func(s *job.Spec) { s.Stdin = make([]byte, 11) }), TooLarge,
			func(r *Refusal) bool { return *r.Size == Size{Field: "stdin", Bytes: 11, MaxBytes: 10} }},
		"too many requests before it is too long": {func(o *Options) { o.RateLimit = 1 }, usual, &hello, big(func(s *job.Spec) { s.Source = strings.Repeat("x", 11) }), RateLimited,
			func(r *Refusal) bool { return r.Rate.Used == 2 }},
	} {
		t.Run(name, func(t *testing.T) {
			d := newDoor(t, tt.options)
			who := d.someone()
			tt.who(&who)
			if tt.first != nil {
				d.submit(who, *tt.first)
			}
			_, err := d.Submit(t.Context(), who, request, tt.sub)
			var refused *Refusal
			if !errors.As(err, &refused) || refused.Code != tt.want || CodeOf(err) != tt.want || !tt.check(refused) {
				t.Errorf("%+v, want %s", err, tt.want)
			}
		})
	}
	fits := newDoor(t, nil)
	fits.submit(fits.someone(), big(func(s *job.Spec) { s.Source, s.Stdin = strings.Repeat("x", 10), make([]byte, 10) }))
}

// What the service refuses by itself is in the audit, with the request's trace.
func TestAuditOfRefusals(t *testing.T) {
	d := newDoor(t, nil)
	big := hello
	big.Spec.Source = strings.Repeat("x", 11)
	if a, err := d.Submit(t.Context(), d.someone(), request, big); CodeOf(err) != TooLarge || a.Requests.Used != 1 {
		t.Errorf("%+v, %v, want a counted refusal", a, err)
	}
	if got := d.audited("field", "bytes", "maxBytes", "traceId"); !slices.Equal(got, []string{"submission_rejected_size field=sourceCode bytes=11 maxBytes=10 traceId=trace-1"}) {
		t.Errorf("audit %q", got)
	}
	// A job that the queue did not answer for is noted, though the caller has left.
	ctx, leave := context.WithCancel(t.Context())
	leave()
	if _, err := d.Submit(ctx, d.someone(), request, hello); CodeOf(err) != Unavailable || !errors.Is(err, context.Canceled) {
		t.Errorf("%v, want %s", err, Unavailable)
	}
	if got := d.audited("error", "traceId"); len(got) != 2 || got[1] != "job_submission_failed error=queue_unreachable traceId=trace-1" {
		t.Errorf("audit %q", got)
	}
}

// A request that was counted is not counted again, and an operator's load test in no window and no quota at all.
func TestCounted(t *testing.T) {
	d := newDoor(t, func(o *Options) { o.RateLimit, o.SubmitLimit = 1, 2 })
	counted := request
	counted.Counted = true
	if rate, err := d.Count(t.Context(), d.someone(), request); err != nil || rate.Used != 1 {
		t.Fatalf("%+v, %v", rate, err)
	}
	if _, err := d.Count(t.Context(), d.someone(), request); CodeOf(err) != RateLimited {
		t.Errorf("%v, want %s", err, RateLimited)
	}
	big := hello
	big.Spec.Source = strings.Repeat("x", 11)
	if _, err := d.Submit(t.Context(), d.someone(), counted, big); CodeOf(err) != TooLarge {
		t.Errorf("%v, want %s", err, TooLarge)
	}
	if a, err := d.Submit(t.Context(), d.someone(), counted, hello); err != nil || a.Requests.Limit != 0 {
		t.Errorf("%+v, %v", a, err)
	}
	operator := Principal{Tenant: d.tenant, Unlimited: true, MaxStoredBytes: 1}
	for range 5 {
		if _, err := d.Submit(t.Context(), operator, request, hello); err != nil {
			t.Errorf("of an operator: %v", err)
		}
	}
	if usage, err := d.queue.Usage(t.Context(), d.tenant); err != nil || usage.ActiveJobs != 6 {
		t.Errorf("%+v, %v, want 6 jobs", usage, err)
	}
	if n := len(slices.DeleteFunc(d.audited(), func(a string) bool { return a != "job_submitted" })); n != 1 {
		t.Errorf("%d jobs were audited one by one, want that of the tenant alone", n)
	}
}

// The jobs of a batch are admitted one by one; repeated under its key, those that were are given back. One that is too large refuses all.
func TestBatch(t *testing.T) {
	d := newDoor(t, nil)
	few := d.someone()
	few.MaxConcurrentJobs = 2
	subs := []Submission{hello, hello, hello}
	first, err := d.Batch(t.Context(), few, request, subs, "key", "digest")
	if err != nil || len(first) != 3 || first[0].Err != nil || first[1].Err != nil || CodeOf(first[2].Err) != QuotaExceeded || first[0].Admission.ID == first[1].Admission.ID {
		t.Fatalf("%+v, %v", first, err)
	}
	again, err := d.Batch(t.Context(), d.someone(), request, subs, "key", "digest")
	if err != nil || again[0].Admission.ID != first[0].Admission.ID || !again[1].Admission.Replayed || again[2].Err != nil || again[2].Admission.Replayed {
		t.Errorf("again: %+v, %v", again, err)
	}
	other, err := d.Batch(t.Context(), d.someone(), request, subs, "key", "another")
	if err != nil || CodeOf(other[0].Err) != KeyReused {
		t.Errorf("under the same key: %+v, %v", other, err)
	}
	unkeyed, err := d.Batch(t.Context(), d.someone(), request, subs[:1], "", "")
	if err != nil || unkeyed[0].Admission.Replayed {
		t.Errorf("without a key: %+v, %v", unkeyed, err)
	}
	big := hello
	big.Spec.Stdin = make([]byte, 11)
	before, _ := d.queue.Usage(t.Context(), d.tenant)
	_, err = d.Batch(t.Context(), d.someone(), request, []Submission{hello, big}, "", "")
	after, _ := d.queue.Usage(t.Context(), d.tenant)
	var refused *Refusal
	if !errors.As(err, &refused) || refused.Code != TooLarge || *refused.Size != (Size{Index: 1, Field: "stdin", Bytes: 11, MaxBytes: 10}) || before.ActiveJobs != after.ActiveJobs {
		t.Errorf("%v, %d jobs before, %d after", err, before.ActiveJobs, after.ActiveJobs)
	}
}

// A job is run again as it was submitted, under an id of its own, and only for its own tenant.
func TestRerun(t *testing.T) {
	d := newDoor(t, nil)
	sub := hello
	sub.Webhook = queue.Webhook{URL: "https://example.com", Secret: "0123456789abcdef"}
	sub.Spec.Tests = &job.Tests{List: []job.Test{{Name: "one"}, {Name: "two"}}}
	id := d.submit(d.someone(), sub).ID
	a, err := d.Rerun(t.Context(), d.someone(), request, d.queue, id)
	if err != nil || a.ID == id {
		t.Fatalf("%+v, %v", a, err)
	}
	was, err := d.queue.Submitted(t.Context(), d.tenant, id)
	is, err2 := d.queue.Submitted(t.Context(), d.tenant, a.ID)
	was.Spec.ID = is.Spec.ID
	if err != nil || err2 != nil || fmt.Sprint(was.Spec.Tests.List) != fmt.Sprint(is.Spec.Tests.List) || is.Webhook != sub.Webhook || is.Priority != queue.High || is.Spec.Source != was.Spec.Source {
		t.Errorf("%+v, %v, want %+v, %v", is, err2, was, err)
	}
	other := d.someone()
	other.Tenant = "another"
	if _, err := d.Rerun(t.Context(), other, request, d.queue, id); CodeOf(err) != NotFound || !errors.Is(err, queue.ErrNotFound) {
		t.Errorf("of another tenant: %v, want %s", err, NotFound)
	}
	few := d.someone()
	few.MaxConcurrentJobs = 2
	if _, err := d.Rerun(t.Context(), few, request, d.queue, id); CodeOf(err) != QuotaExceeded {
		t.Errorf("beyond the quota: %v", err)
	}
}

// Wait returns at the end of the job, after its time, or when the service drains, whichever is first.
func TestWait(t *testing.T) {
	d := newDoor(t, nil)
	id := d.submit(d.someone(), hello).ID
	if rec, err := d.Wait(t.Context(), d.tenant, id, 0); err != nil || rec.Status != queue.Queued {
		t.Errorf("without a wait: %s, %v", rec.Status, err)
	}
	if rec, err := d.Wait(t.Context(), d.tenant, id, time.Millisecond); err != nil || rec.Status != queue.Queued {
		t.Errorf("after its time: %s, %v", rec.Status, err)
	}
	if _, err := d.Wait(t.Context(), "another", id, time.Minute); !errors.Is(err, queue.ErrNotFound) {
		t.Errorf("of another tenant: %v", err)
	}
	ended := make(chan queue.State, 1)
	go func() {
		rec, _ := d.Wait(context.Background(), d.tenant, id, time.Hour)
		ended <- rec.Status
	}()
	lease, err := d.queue.Claim(patience.Context(t), queue.Claimer{Worker: "w", Languages: []string{"python"}})
	if err != nil {
		t.Fatal(err)
	}
	if err := lease.Complete(t.Context(), queue.Outcome{Result: job.Result{Status: job.Succeeded, Verdict: job.Exited}}); err != nil {
		t.Fatal(err)
	}
	if status := patience.Receive(t, ended, "the end of the job"); status != queue.Succeeded {
		t.Errorf("%s, want %s", status, queue.Succeeded)
	}
	waits := d.submit(d.someone(), hello).ID
	go func() {
		rec, _ := d.Wait(context.Background(), d.tenant, waits, time.Hour)
		ended <- rec.Status
	}()
	d.drain()
	if status := patience.Receive(t, ended, "the end of the wait"); status != queue.Queued {
		t.Errorf("when the service drains: %s, want %s", status, queue.Queued)
	}
}

// An error of the queue has a code, whatever it is wrapped in, and only one.
func TestCodes(t *testing.T) {
	for want, err := range map[Code]error{
		"": nil, KeyReused: fmt.Errorf("x: %w", queue.ErrKeyReused), StorageFull: queue.ErrFull, NotFound: queue.ErrNotFound, NoRuntimes: ErrNoRuntimes,
		Unavailable: errors.New("x"), RateLimited: &Refusal{Code: RateLimited},
	} {
		if got := CodeOf(refuse(err)); got != want {
			t.Errorf("%v: %s, want %s", err, got, want)
		}
	}
	if got := CodeOf(errors.New("x")); got != Unavailable {
		t.Errorf("an error that is no Refusal: %s", got)
	}
	size := &Refusal{Code: TooLarge, Size: &Size{Field: "stdin", Bytes: 11, MaxBytes: 10}}
	if got := size.Error(); got != "submit: stdin has 11 bytes, 10 are allowed" {
		t.Error(got)
	}
	if got := refuse(queue.ErrNotFound).Error(); got != "submit: not_found: "+queue.ErrNotFound.Error() {
		t.Error(got)
	}
}
