// SPDX-License-Identifier: Apache-2.0

package load

import (
	"context"
	"fmt"
	"math"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/ccee-dev/ccee/bench/capacity"
	"github.com/ccee-dev/ccee/job"
)

// The pause between jobs is long enough for the next prewarmed sandbox to be made.
const (
	untimedJobs   = 3  // at the beginning
	pausePerCold  = 15 // pause as a multiple of the time of a cold job
	shortestPause = 200 * time.Millisecond
)

// Profile measures what hellos in a language take on this host, on which the daemon must serve nobody else: so many jobs alone of each
// kind, then for that long many at once. progress is told what is measured next.
func Profile(ctx context.Context, r Runner, language string, cores, jobs int, during time.Duration, progress func(string)) (capacity.Language, error) {
	l, spec := capacity.Language{Name: language}, Spec(language, Program(language))
	progress("alone, in sandboxes made on demand")
	cold := spec
	cold.Run.TmpBytes = job.DefaultRun.TmpBytes / 2 // no sandbox with such a /tmp is prewarmed
	times, _, err := alone(ctx, r, cold, jobs, shortestPause)
	if err != nil {
		return l, err
	}
	l.ColdMs = capacity.NewTimes(times).P50
	progress("alone, in prewarmed sandboxes")
	pause := max(shortestPause, time.Duration(pausePerCold*l.ColdMs)*time.Millisecond)
	if times, l.WarmCPUMs, err = alone(ctx, r, spec, jobs, pause); err != nil {
		return l, err
	}
	warm := capacity.NewTimes(times)
	l.WarmMs, l.WarmP99Ms = warm.P50, warm.P99
	progress("many at once")
	step, err := Measure(ctx, r, spec, 4*cores, during)
	if err != nil {
		return l, err
	}
	l.ColdCPUMs, l.MemoryMiB = 1000*float64(cores)/step.JobsPerSecond, float64(step.MemoryPeakBytes)/job.MiB
	for _, v := range []*float64{&l.WarmMs, &l.WarmP99Ms, &l.WarmCPUMs, &l.ColdMs, &l.ColdCPUMs, &l.MemoryMiB} {
		*v = math.Round(100**v) / 100
	}
	return l, nil
}

// alone runs the job n times, one after the other, and returns the seconds of each and the CPU time of one. Some untimed jobs go before.
func alone(ctx context.Context, r Runner, spec job.Spec, n int, pause time.Duration) (times []float64, cpuMs float64, err error) {
	var before float64
	for i := range n + untimedJobs {
		if i == untimedJobs {
			if before, err = busyMs(); err != nil {
				return nil, 0, err
			}
		}
		began := time.Now()
		res, err := r.Run(ctx, withNewID(spec))
		took := time.Since(began)
		switch {
		case err != nil:
			return nil, 0, err
		case res.Status != job.Succeeded:
			return nil, 0, fmt.Errorf("a job failed: %s (%s)", res.Status, res.Verdict)
		case i >= untimedJobs:
			times = append(times, took.Seconds())
		}
		select {
		case <-ctx.Done():
			return nil, 0, ctx.Err()
		case <-time.After(pause):
		}
	}
	after, err := busyMs()
	return times, (after - before) / float64(n), err
}

// busyMs returns the CPU time that this host has used, in milliseconds: proc_stat(5).
func busyMs() (float64, error) {
	b, err := os.ReadFile("/proc/stat")
	if err != nil {
		return 0, err
	}
	line, _, _ := strings.Cut(string(b), "\n")
	const tick = 10 // ms: USER_HZ is 100 on every architecture that we know
	sum := 0.0
	for i, field := range strings.Fields(line) {
		switch i {
		case 1, 2, 3, 6, 7: // user, nice, system, irq, softirq
			n, err := strconv.ParseFloat(field, 64)
			if err != nil {
				return 0, fmt.Errorf("/proc/stat: %w", err)
			}
			sum += n
		}
	}
	return tick * sum, nil
}
