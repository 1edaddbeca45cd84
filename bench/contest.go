// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"slices"
	"time"
)

// contender is one way to do the same thing.
type contender struct {
	name string
	do   func(context.Context) error

	wait time.Duration // before each time that it is timed
}

// contest lets the contenders take turns and prints a table. The others are compared with the first.
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
	times, took, err := drive(ctx, clients, during, c.do)
	if err != nil {
		return err
	}
	perSecond := float64(len(times)) / took.Seconds()
	results = append(results, result{What: fmt.Sprintf("%d clients", clients), Contender: c.name, PerSecond: perSecond})
	fmt.Printf("  %-42s %10.0f per second\n", fmt.Sprintf("%s, %d clients", c.name, clients), perSecond)
	return nil
}

func percentile(d []time.Duration, p float64) time.Duration {
	s := slices.Sorted(slices.Values(d))
	return s[min(len(s)-1, int(float64(len(s))*p/100))]
}

func ms(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
