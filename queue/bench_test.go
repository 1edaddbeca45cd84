// SPDX-License-Identifier: Apache-2.0

package queue

import (
	"context"
	"fmt"
	"sync"
	"testing"

	"github.com/redis/go-redis/v9"
)

// The steps must cost the same however many jobs are stored: run with -bench . and compare the lines.
var storedJobs = []int{1_000, 100_000}

// fill stores n waiting jobs of 100 tenants.
func fill(b *testing.B, q *Queue, n int) {
	b.Helper()
	var wg sync.WaitGroup
	const writers = 16
	for w := range writers {
		wg.Go(func() {
			for i := w; i < n; i += writers {
				if err := q.enqueue(b.Context(), submission(fmt.Sprintf("%s-t%d", q.opts.Name, i%100), unique("job"))); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
}

// empty gives Redis's memory back after a benchmark.
func empty(b *testing.B, q *Queue) {
	if err := q.rdb.FlushDB(b.Context()).Err(); err != nil && err != redis.Nil {
		b.Fatal(err)
	}
}

func BenchmarkEnqueue(b *testing.B) {
	for _, n := range storedJobs {
		b.Run(fmt.Sprintf("stored=%d", n), func(b *testing.B) {
			q := newQueue(b, Options{})
			fill(b, q, n)
			tenant := unique("tenant")
			b.ResetTimer()
			for range b.N {
				enqueue(b, q, tenant)
			}
			b.StopTimer()
			empty(b, q)
		})
	}
}

func BenchmarkClaimComplete(b *testing.B) {
	for _, n := range storedJobs {
		b.Run(fmt.Sprintf("stored=%d", n), func(b *testing.B) {
			q := newQueue(b, Options{})
			fill(b, q, n+b.N)
			o := outcome("hello\n")
			b.ResetTimer()
			for range b.N {
				if err := claim(b, q, "w").Complete(b.Context(), o); err != nil {
					b.Fatal(err)
				}
			}
			b.StopTimer()
			empty(b, q)
		})
	}
}

// BenchmarkRoundTrip is a job's whole way through the queue with an idle worker: enqueue, wake, claim, complete, wake, read.
func BenchmarkRoundTrip(b *testing.B) {
	q := newQueue(b, Options{})
	ctx, stop := context.WithCancel(b.Context())
	var wg sync.WaitGroup
	defer wg.Wait()
	defer stop()
	tenant, o := unique("tenant"), outcome("hello\n")
	wg.Go(func() {
		for {
			l, err := q.Claim(ctx, taker("w"))
			if err != nil {
				return
			}
			if err := l.Complete(b.Context(), o); err != nil {
				b.Error(err)
			}
		}
	})
	for b.Loop() {
		if _, err := q.Wait(b.Context(), tenant, enqueue(b, q, tenant)); err != nil {
			b.Fatal(err)
		}
	}
}
