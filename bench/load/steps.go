// SPDX-License-Identifier: Apache-2.0

package load

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/ccee-dev/ccee/job"
)

// Step is the result of a number of clients.
type Step struct {
	Clients         int     `json:"clients"`
	Jobs            int     `json:"jobs"`
	JobsPerSecond   float64 `json:"jobsPerSecond"`
	P50Ms           float64 `json:"p50Ms"`
	P99Ms           float64 `json:"p99Ms"`
	P999Ms          float64 `json:"p999Ms"`
	Refused         int     `json:"refused"` // the daemon was busy
	MemoryPeakBytes int64   `json:"memoryPeakBytes"`
}

// clients run one job again and again until a moment.
type clients struct {
	runner Runner
	spec   job.Spec
	until  time.Time

	mu     sync.Mutex // guards all below
	step   Step
	times  []time.Duration
	failed error
}

// Measure has n clients run a job for that long, each one job at a time.
func Measure(ctx context.Context, r Runner, spec job.Spec, n int, during time.Duration) (Step, error) {
	began := time.Now()
	l := &clients{runner: r, spec: spec, until: began.Add(during), step: Step{Clients: n}}
	var all sync.WaitGroup
	for range n {
		all.Go(func() {
			for time.Now().Before(l.until) && l.runOne(ctx) {
			}
		})
	}
	all.Wait()
	if l.failed != nil {
		return l.step, l.failed
	}
	if len(l.times) == 0 {
		return l.step, errors.Join(ctx.Err(), fmt.Errorf("no job ended within %v: raise --for", during))
	}
	slices.Sort(l.times)
	at := func(share float64) float64 {
		return float64(l.times[min(len(l.times)-1, int(share*float64(len(l.times))))].Microseconds()) / 1000
	}
	l.step.Jobs, l.step.JobsPerSecond = len(l.times), float64(len(l.times))/time.Since(began).Seconds()
	l.step.P50Ms, l.step.P99Ms, l.step.P999Ms = at(0.5), at(0.99), at(0.999)
	return l.step, nil
}

// runOne runs the job once and reports whether to continue.
func (l *clients) runOne(ctx context.Context) bool {
	start := time.Now()
	res, err := l.runner.Run(ctx, withNewID(l.spec))
	took := time.Since(start)
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case err != nil && job.ErrorCode(err) == job.EBusy:
		l.step.Refused++
	case err != nil:
		l.failed = err
	case res.Status != job.Succeeded:
		l.failed = fmt.Errorf("a job failed under this load: %s (%s): raise its limits, or use fewer clients", res.Status, res.Verdict)
	default:
		l.times = append(l.times, took)
		for s := range res.EveryStep() {
			l.step.MemoryPeakBytes = max(l.step.MemoryPeakBytes, s.Usage.MemoryPeakBytes)
		}
	}
	return l.failed == nil && ctx.Err() == nil
}
