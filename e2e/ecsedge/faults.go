// SPDX-License-Identifier: Apache-2.0

package ecsedge

import (
	"math/rand/v2"
	"sync"
	"time"
)

// Faults are probabilities, from 0 to 1, of what goes wrong. The same seed rolls the same numbers in the same order.
type Faults struct {
	Seed uint64

	Throttle   float64 // a call is refused with ThrottlingException
	LoseAnswer float64 // RunTask does its work, and its answer is lost
	NoCapacity float64 // RunTask on Spot is answered with a failure: no capacity
	Stuck      float64 // a task on Spot never leaves PROVISIONING
	FailStart  float64 // a task stops before it runs, as when its image can't be pulled
	Interrupt  float64 // a task on Spot is interrupted while it runs, after up to InterruptBy
	Kill       float64 // the container of a task is killed while it runs, as by a host that dies, after up to InterruptBy

	InterruptBy time.Duration
}

// dice are safe for use by many.
type dice struct {
	mu  sync.Mutex
	rng *rand.Rand
}

func newDice(seed uint64) *dice { return &dice{rng: rand.New(rand.NewPCG(seed, seed))} }

func (d *dice) roll(probability float64) bool {
	if probability <= 0 {
		return false
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.rng.Float64() < probability
}

// upTo is a duration below most.
func (d *dice) upTo(most time.Duration) time.Duration {
	d.mu.Lock()
	defer d.mu.Unlock()
	return time.Duration(d.rng.Float64() * float64(most))
}

// bucket is a token bucket, by which AWS says that it limits calls and launches.
type bucket struct {
	mu         sync.Mutex
	rate, most float64
	left       float64
	at         time.Time
}

func newBucket(rate, most float64) *bucket {
	return &bucket{rate: rate, most: most, left: most, at: time.Now()}
}

func (b *bucket) take(n float64) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	now := time.Now()
	b.left = min(b.most, b.left+now.Sub(b.at).Seconds()*b.rate)
	b.at = now
	if b.left < n {
		return false
	}
	b.left -= n
	return true
}
