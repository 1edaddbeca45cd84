// SPDX-License-Identifier: Apache-2.0

package handoff

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ccee-dev/ccee/e2e/patience"
	"github.com/ccee-dev/ccee/job"
)

func next(t testing.TB, o *Offer) News {
	t.Helper()
	n, err := o.Next(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func wantErr(t testing.TB, what string, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Errorf("%s = %v, want %v", what, err, want)
	}
}

// A job from its offer to its end.
func TestExchange(t *testing.T) {
	s, ctx := newStore(t), t.Context()
	o := offer(t, s, "job-1", 1)
	changed, stop := o.Changed()
	defer stop()
	patience.Receive(t, changed, "the subscription")
	if n := next(t, o); n.Taken || n.End != nil || n.Events != nil {
		t.Errorf("before anything: %+v", n)
	}
	for range 2 { // an answer may be lost
		b, err := s.Take(ctx, o.Token, nonce)
		var got job.Spec
		if err != nil || json.Unmarshal(b, &got) != nil || !reflect.DeepEqual(got, spec("job-1", 1)) {
			t.Fatalf("take = %s, %v", b, err)
		}
	}
	patience.Receive(t, changed, "the notice of Take")
	if n := next(t, o); !n.Taken {
		t.Error("not taken, although it is")
	}
	events := []job.Event{{Type: job.EventStarted, Step: "run"}, {Type: job.EventStdout, Step: "run", Data: []byte("x\xff")}}
	for _, ev := range events {
		if cancelled, err := s.Report(ctx, o.Token, nonce, job.Report{Events: []job.Event{ev}}); cancelled || err != nil {
			t.Fatal(cancelled, err)
		}
	}
	if n := next(t, o); !reflect.DeepEqual(n.Events, events) {
		t.Errorf("events %+v, want %+v", n.Events, events)
	}
	if n := next(t, o); len(n.Events) > 0 {
		t.Errorf("the same events again: %+v", n.Events)
	}
	if err := o.Cancel(ctx); err != nil {
		t.Fatal(err)
	}
	if cancelled, err := s.Report(ctx, o.Token, nonce, job.Report{}); !cancelled || err != nil {
		t.Errorf("heartbeat = %v, %v, want it to be cancelled", cancelled, err)
	}
	for range 2 {
		if _, err := s.Report(ctx, o.Token, nonce, good()); err != nil {
			t.Fatal(err)
		}
	}
	want := good()
	if n := next(t, o); n.End == nil || !reflect.DeepEqual(*n.End, want) {
		t.Errorf("end %+v, want %+v", n.End, want)
	}
	if err := o.Drop(ctx); err != nil {
		t.Fatal(err)
	}
	_, err := o.Next(ctx)
	wantErr(t, "next after drop", err, ErrVoid)
}

// What a stolen token opens: nothing, once its task has called.
func TestStolenTokens(t *testing.T) {
	s, ctx := newStore(t), t.Context()
	a, b := offer(t, s, "job-a", 1), offer(t, s, "job-b", 1)

	report := func(token Token, nonce string, r job.Report) error {
		_, err := s.Report(ctx, token, nonce, r)
		return err
	}
	take := func(token Token, nonce string) error { _, err := s.Take(ctx, token, nonce); return err }

	wantErr(t, "report before take", report(a.Token, nonce, good()), ErrTaken)
	if err := take(a.Token, nonce); err != nil {
		t.Fatal(err)
	}
	wantErr(t, "take with another nonce", take(a.Token, other), ErrTaken)
	wantErr(t, "events with another nonce", report(a.Token, other, job.Report{Events: []job.Event{{Type: job.EventStarted}}}), ErrTaken)
	wantErr(t, "result with another nonce", report(a.Token, other, good()), ErrTaken)
	wantErr(t, "known with another nonce", s.Known(ctx, a.Token, other), ErrTaken)
	wantErr(t, "job A's nonce with job B's token", report(b.Token, nonce, good()), ErrTaken)
	if err := report(a.Token, nonce, job.Report{}); err != nil {
		t.Fatal(err)
	}
	wantErr(t, "take after the first report", take(a.Token, nonce), ErrTaken)
	if n := next(t, b); n.Taken || n.End != nil {
		t.Errorf("job B has news of job A's task: %+v", n)
	}
	if err := report(a.Token, nonce, good()); err != nil {
		t.Fatal(err)
	}
	wantErr(t, "another result after the end", report(a.Token, nonce, job.Report{Interrupted: true}), ErrEnded)
	wantErr(t, "events after the end", report(a.Token, nonce, job.Report{Events: []job.Event{{Type: job.EventStarted}}}), ErrEnded)
	if err := a.Drop(ctx); err != nil {
		t.Fatal(err)
	}
	wantErr(t, "take after drop", take(a.Token, nonce), ErrVoid)
	wantErr(t, "report after drop", report(a.Token, nonce, good()), ErrVoid)
	wantErr(t, "cancel after drop", a.Cancel(ctx), ErrVoid)
}

func TestMalformedTokens(t *testing.T) {
	s := newStore(t)
	o := offer(t, s, "job-1", 1)
	for _, bad := range []Token{"", "x", tokenPrefix, o.Token[1:], o.Token + "A", o.Token[:len(o.Token)-1],
		Token(strings.ToUpper(string(o.Token))),
		Token(o.digest), Token(tokenPrefix + o.digest), o.Token + "\n", Token(strings.Repeat("A", 1<<20))} {
		_, err := s.Take(t.Context(), bad, nonce)
		wantErr(t, fmt.Sprintf("take with a token of %d bytes", len(bad)), err, ErrVoid)
	}
	for _, bad := range []string{"", "short", strings.Repeat("n", 129)} {
		_, err := s.Take(t.Context(), o.Token, bad)
		wantErr(t, "take with the nonce "+bad, err, ErrVoid)
	}
	if s := fmt.Sprintf("%v %s %#v %+v", o.Token, o.Token, o.Token, *o); strings.Contains(s, tokenPrefix) {
		t.Errorf("a printed offer has its token: %s", s)
	}
}

// A newer attempt makes older tokens void; an older one makes nothing void.
func TestFencing(t *testing.T) {
	s, ctx := newStore(t), t.Context()
	first := offer(t, s, "job-1", 1)
	if _, err := s.Take(ctx, first.Token, nonce); err != nil {
		t.Fatal(err)
	}
	changed, stop := first.Changed()
	defer stop()
	patience.Receive(t, changed, "the subscription")
	second := offer(t, s, "job-1", 2)
	patience.Receive(t, changed, "the notice that the first offer is void")
	_, err := first.Next(ctx)
	wantErr(t, "next of the older attempt", err, ErrVoid)
	_, err = s.Report(ctx, first.Token, nonce, good())
	wantErr(t, "result of the older attempt", err, ErrVoid)
	_, err = s.Offer(ctx, spec("job-1", 1))
	wantErr(t, "offer of the older attempt", err, ErrOlder)
	if err := first.Drop(ctx); err != nil {
		t.Fatal(err)
	}
	if n := next(t, second); n.Taken || n.End != nil {
		t.Errorf("the second attempt has news of the first: %+v", n)
	}
	third := offer(t, s, "job-1", 2) // handed back and claimed again: the same attempt
	if first.Number != 1 || second.Number != 2 || third.Number != 3 {
		t.Errorf("numbers %d %d %d, want 1 2 3", first.Number, second.Number, third.Number)
	}
	if err := third.Drop(ctx); err != nil {
		t.Fatal(err)
	}
	if o := offer(t, s, "job-1", 2); o.Number != 4 { // ECS remembers a clientToken
		t.Errorf("number %d after a drop, want 4", o.Number)
	}
}

// Of many who take at once with nonces of their own, one gets the job.
func TestTakeOnce(t *testing.T) {
	s := newStore(t)
	o := offer(t, s, "job-1", 1)
	var wg sync.WaitGroup
	var mu sync.Mutex
	got := map[error]int{}
	for i := range 16 {
		wg.Go(func() {
			_, err := s.Take(t.Context(), o.Token, fmt.Sprintf("%s-%d", nonce, i))
			mu.Lock()
			got[err]++
			mu.Unlock()
		})
	}
	wg.Wait()
	if got[nil] != 1 || got[ErrTaken] != 15 {
		t.Errorf("%v, want one nil and 15 %v", got, ErrTaken)
	}
}

func TestLive(t *testing.T) {
	s, ctx := newStore(t), t.Context()
	a, b := offer(t, s, "job-a", 1), offer(t, s, "job-b", 1)
	if err := a.Launched(ctx, "arn:a"); err != nil {
		t.Fatal(err)
	}
	want := map[string]string{"job-a": "arn:a", "job-b": ""}
	if got, err := s.Live(ctx); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("live %v, %v, want %v", got, err, want)
	}
	if err := b.Drop(ctx); err != nil {
		t.Fatal(err)
	}
	delete(want, "job-b")
	if got, err := s.Live(ctx); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("live %v, %v, want %v", got, err, want)
	}
	for _, tt := range []struct {
		holder string
		want   bool
	}{{"x", true}, {"y", false}, {"x", true}} {
		if ok, err := s.Lead(ctx, tt.holder, time.Hour); ok != tt.want || err != nil {
			t.Errorf("lead of %s = %v, %v", tt.holder, ok, err)
		}
	}
}

// Every key expires, and the waiting events are bounded.
func TestBounds(t *testing.T) {
	s, ctx := newStore(t), t.Context()
	o := offer(t, s, "job-1", 1)
	if _, err := s.Take(ctx, o.Token, nonce); err != nil {
		t.Fatal(err)
	}
	big := job.Report{Events: []job.Event{{Type: job.EventStdout, Data: make([]byte, job.MaxReportData)}}}
	sent := 2 * maxEvents / job.MaxReportData
	for range sent {
		if _, err := s.Report(ctx, o.Token, nonce, big); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := s.Lead(ctx, "x", time.Minute); err != nil {
		t.Fatal(err)
	}
	ttls, err := s.space.Step(`local all = {}
for _, k in ipairs(redis.call('KEYS', SPACE .. '*')) do all[#all + 1] = k .. ' ' .. redis.call('PTTL', k) end
return all`).Run(ctx, "read times to live")
	if list, _ := ttls.([]any); err != nil || len(list) != 5 {
		t.Errorf("keys %v, %v, want 5", ttls, err)
	} else {
		for _, k := range list {
			if strings.HasSuffix(k.(string), " -1") {
				t.Errorf("%s never expires", k)
			}
		}
	}
	if n := next(t, o); len(n.Events) == 0 || len(n.Events) >= sent {
		t.Errorf("%d events of %d waited, want some to be dropped", len(n.Events), sent)
	}
	if _, err := s.Report(ctx, o.Token, nonce, big); err != nil {
		t.Fatal(err)
	}
	if n := next(t, o); len(n.Events) != 1 {
		t.Errorf("%d events after the worker has read the others, want 1", len(n.Events))
	}
}
