// SPDX-License-Identifier: Apache-2.0

package queue

import (
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
)

// counted is what countRequest returned for a request at a time, all times in ms.
type counted struct{ at, used, leaves, again int64 }

// countAt has countRequest count requests of a tenant at those times, whatever Redis's clock says.
func countAt(t *testing.T, q *Queue, tenant string, limit, window int64, times ...int64) []counted {
	t.Helper()
	script := redis.NewScript(link(library(q.keys, q.opts), `
		local all = {}
		for i = 4, #ARGV do
			all[i - 3] = countRequest(ARGV[1], 'rate_limit', tonumber(ARGV[3]), tonumber(ARGV[2]), tonumber(ARGV[i]), 'rate_limited', 'trace', 'GET', '/')
		end
		return all`))
	args := []any{tenant, limit, window}
	for _, at := range times {
		args = append(args, at)
	}
	v, err := script.Run(t.Context(), q.rdb, nil, args...).Slice()
	if err != nil || len(v) != len(times) {
		t.Fatalf("%d answers, %v", len(v), err)
	}
	all := make([]counted, len(v))
	for i := range v {
		l := v[i].([]any)
		all[i] = counted{times[i], integer(l[0]), integer(l[1]), integer(l[2])}
	}
	return all
}

// refusals returns the times at which requests were refused.
func refusals(all []counted, limit int64) (times []int64) {
	for _, c := range all {
		if c.used > limit {
			times = append(times, c.at)
		}
	}
	return times
}

func TestRate(t *testing.T) {
	q, tenant := newQueue(t, Options{}), unique("tenant")
	const window = time.Hour
	request := RateRequest{Tenant: tenant, Limit: 3, Window: window, TraceID: "trace-1", Method: "GET", Path: "/v1/jobs"}
	for i := int64(1); i <= 5; i++ {
		before := time.Now()
		r, err := q.Rate(t.Context(), request)
		if err != nil || r.Used != i || r.Allowed != (i <= 3) || r.Limit != 3 {
			t.Errorf("request %d: %+v, %v", i, r, err)
		}
		// The first of them leaves first, the third last. Redis's clock is this machine's, in ms.
		wait, reset := r.RetryAfter, r.ResetAt.Sub(before)
		if i < 3 && wait != 0 || i >= 3 && (wait <= window-time.Minute || wait > window) || reset <= window-time.Minute || reset > window+time.Minute {
			t.Errorf("request %d: retry after %v, all is free in %v", i, wait, reset)
		}
		if ttl := q.rdb.PTTL(t.Context(), q.keys.of("rateKey", tenant, string(Requests))).Val(); ttl <= window-time.Minute || ttl > window {
			t.Errorf("request %d: the count is kept for %v, want the window", i, ttl)
		}
	}
	request.Window = 1500 * time.Millisecond
	if _, err := q.Rate(t.Context(), request); err == nil {
		t.Error("a window of 1.5 s was taken")
	}
}

// At the edge of a window of the clock there is no second limit: 20 in the last moment of one, 20 in the first of the next.
func TestRateHasNoEdge(t *testing.T) {
	q, tenant := newQueue(t, Options{}), unique("tenant")
	const limit, window, edge = 20, 10, int64(1_800_000_000_000)
	var times []int64
	for i := range int64(2 * limit) {
		times = append(times, edge-limit+i)
	}
	all := countAt(t, q, tenant, limit, window, times...)
	if got := refusals(all, limit); len(got) != limit || got[0] != edge {
		t.Errorf("refused at %v, want all %d from %d on", got, limit, edge)
	}
	last := all[len(all)-1]
	if want := edge - limit + window*1000; last.again != want || last.used != 2*limit || last.leaves != edge-1+window*1000 {
		t.Errorf("the last one: %+v; want a place again at %d, and all of them at %d", last, want, edge-1+window*1000)
	}
	// Who comes a moment too early is refused, who comes then is admitted, and the next place is the second's.
	again := countAt(t, q, tenant, limit, window, last.again-1, last.again, last.again, last.again+1)
	if got := refusals(again, limit); len(got) != 2 || got[0] != last.again-1 || got[1] != last.again || again[1].used != limit {
		t.Errorf("coming back at %d: %+v", last.again, again)
	}
}

// However requests arrive, no window of that length has more than limit, and who waits as long as was said is admitted.
func TestRateOfRandomArrivals(t *testing.T) {
	q := newQueue(t, Options{})
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 1))
	for range 60 {
		tenant, limit, window := unique("tenant"), 1+r.Int64N(200), 1+r.Int64N(20)
		length, at := window*1000, int64(1_800_000_000_000)+r.Int64N(100_000)
		var admitted []int64
		for range 40 { // bursts
			var times []int64
			for range 1 + r.IntN(60) {
				times = append(times, at)
				at += r.Int64N(1 + 4*length/(1+limit)*r.Int64N(2))
			}
			all := countAt(t, q, tenant, limit, window, times...)
			for i, c := range all {
				if c.used <= limit {
					admitted = append(admitted, c.at)
				}
				if limit <= rateSteps && c.used > limit && c.again != admitted[int64(len(admitted))-limit]+length {
					t.Fatalf("limit %d in %d s: %+v, want a place again when the one of %d has left", limit, window, c, admitted[int64(len(admitted))-limit])
				}
				if c.used > limit && i == len(all)-1 {
					at = c.again
					back := countAt(t, q, tenant, limit, window, at)[0]
					if admitted = append(admitted, at); back.used > limit {
						t.Fatalf("limit %d in %d s: refused again after %d ms, which was how long to wait", limit, window, at-c.at)
					}
					if late := c.again - length - admitted[int64(len(admitted))-1-limit]; late > length/rateSteps {
						t.Fatalf("limit %d in %d s: a place is free %d ms late", limit, window, late)
					}
				}
			}
		}
		for i := limit; i < int64(len(admitted)); i++ {
			if gap := admitted[i] - admitted[i-limit]; gap < length {
				t.Fatalf("limit %d in %d s: %d were admitted within %d ms", limit, window, limit+1, gap)
			}
		}
	}
}

// What is kept of a tenant is bounded whatever its limit.
func TestRateIsBounded(t *testing.T) {
	q, tenant := newQueue(t, Options{}), unique("tenant")
	const limit, window = 100_000, 60
	at, most := int64(1_800_000_000_000), 0
	for range 50 {
		var times []int64
		for range 1000 {
			at += 3
			times = append(times, at)
		}
		countAt(t, q, tenant, limit, window, times...)
		most = max(most, len(q.rdb.Get(t.Context(), q.keys.of("rateKey", tenant, string(Requests))).Val()))
	}
	if most > 2048 {
		t.Errorf("%d bytes for one tenant", most)
	}
}

// Redis's clock may be set back: nobody gets more for that.
func TestRateWhenTheClockIsSetBack(t *testing.T) {
	q, tenant := newQueue(t, Options{}), unique("tenant")
	const at, back = int64(1_800_000_000_000), 3000
	all := countAt(t, q, tenant, 2, 10, at, at-back, at-back)
	if all[2].used != 3 || all[2].again != at+10_000 {
		t.Errorf("%+v, want the third one refused until %d", all, at+10_000)
	}
	if ttl := q.rdb.PTTL(t.Context(), q.keys.of("rateKey", tenant, string(Requests))).Val(); ttl <= 10*time.Second || ttl > 10*time.Second+back*time.Millisecond {
		t.Errorf("the count is kept for %v, want the window and what the clock was set back", ttl)
	}
}

// Of a tenant that is refused for hours the audit has one entry a window.
func TestRateAuditsOncePerWindow(t *testing.T) {
	q, tenant := newQueue(t, Options{}), unique("tenant")
	const window, limit, start = 10, 5, int64(1_800_000_000_000)
	var times []int64
	for at := start; at < start+100_000; at += 500 { // four times the limit
		times = append(times, at)
	}
	all := countAt(t, q, tenant, limit, window, times...)
	if n := len(refusals(all, limit)); n < len(times)/2 {
		t.Fatalf("%d refused", n)
	}
	events, err := q.Events(t.Context(), tenant, "", 100)
	if err != nil || len(events) != 10 {
		t.Errorf("%d events, %v; want one in each of 10 windows", len(events), err)
	}
	if m := metadata(t, q, tenant, "rate_limited"); m["limit"] != 5.0 || m["used"] != 6.0 {
		t.Errorf("%v, want the first refused one", m)
	}
}

// The counts that a version before this one kept are neither read nor in the way.
func TestRateBesideOldCounts(t *testing.T) {
	q, tenant := newQueue(t, Options{}), unique("tenant")
	old := q.keys.of("rateKey", tenant, string(Requests)) + ":30000000"
	q.rdb.Set(t.Context(), old, 1000, time.Minute)
	r, err := q.Rate(t.Context(), RateRequest{Tenant: tenant, Limit: 1, Window: time.Minute})
	if err != nil || !r.Allowed || r.Used != 1 || !strings.HasSuffix(q.rdb.Get(t.Context(), q.keys.of("rateKey", tenant, string(Requests))).Val(), ":1") {
		t.Errorf("%+v, %v", r, err)
	}
}
