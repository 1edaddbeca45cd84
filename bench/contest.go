package main

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// contender is one way to do the same thing.
type contender struct {
	name string
	do   func(context.Context) error

	wait time.Duration // before each time that it is timed
}

// contest lets the contenders take turns and prints a table. The first is what the others are compared with.
func contest(ctx context.Context, title string, rounds int, contenders ...contender) error {
	const warmUp = 3
	times := make([][]time.Duration, len(contenders))
	for round := range rounds + warmUp {
		for i, c := range contenders {
			if err := ctx.Err(); err != nil {
				return err
			}
			time.Sleep(c.wait)
			began := time.Now()
			if err := c.do(ctx); err != nil {
				return fmt.Errorf("%s: %w", c.name, err)
			}
			if round >= warmUp {
				times[i] = append(times[i], time.Since(began))
			}
		}
	}
	fmt.Printf("\n%-44s %10s %10s %10s %8s\n", fmt.Sprintf("%s, %d rounds", title, rounds), "p50 ms", "p99 ms", "+p50 ms", "ratio")
	base := percentile(times[0], 50)
	for i, c := range contenders {
		p50 := percentile(times[i], 50)
		results = append(results, result{What: title, Contender: c.name, P50Ms: ms(p50), P99Ms: ms(percentile(times[i], 99)), Ratio: float64(p50) / float64(base)})
		fmt.Printf("  %-42s %10.2f %10.2f %10.2f %8.2f\n", c.name, ms(p50), ms(percentile(times[i], 99)), ms(p50-base), float64(p50)/float64(base))
	}
	return nil
}

// throughput has several clients do the same thing for a while and prints how often a second.
func throughput(ctx context.Context, c contender, clients int, during time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, during)
	defer cancel()
	var done atomic.Int64
	var once sync.Once
	var first error
	var wg sync.WaitGroup
	began := time.Now()
	for range clients {
		wg.Go(func() {
			for ctx.Err() == nil {
				if err := c.do(ctx); err == nil {
					done.Add(1)
				} else if ctx.Err() == nil {
					once.Do(func() { first = err })
					return
				}
			}
		})
	}
	wg.Wait()
	perSecond := float64(done.Load()) / time.Since(began).Seconds()
	results = append(results, result{What: fmt.Sprintf("%d clients", clients), Contender: c.name, PerSecond: perSecond})
	fmt.Printf("  %-42s %10.0f per second\n", fmt.Sprintf("%s, %d clients", c.name, clients), perSecond)
	return first
}

func percentile(d []time.Duration, p int) time.Duration {
	s := slices.Sorted(slices.Values(d))
	return s[min(len(s)-1, len(s)*p/100)]
}

func ms(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
