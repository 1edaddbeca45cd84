// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ccee-dev/ccee/job"
)

const (
	loadFor  = 5 * time.Second  // each step
	loadOver = 10 * time.Second // the step with more submissions than can be run

	neighbours = 32 // hostile clients
)

// hostile are the programs of neighbours. All but the first are attacks.
var hostile = []struct{ name, source string }{
	{"hello", `print("hello")`},
	{"spinners", "while True: pass"},
	{"fork bombs", "import os\nwhile True:\n  try: os.fork()\n  except OSError: pass"},
	{"memory bombs", "x = []\nwhile True: x.append(bytearray(1 << 20))"},
	{"floods of output", "import os\nwhile True: os.write(1, b'x' * 65536)"},
}

// load measures the whole system with more and more clients, with several languages, beside hostile tenants, and with more
// submissions than it can run.
func load(ctx context.Context, dir, binary, images string) error {
	up, c, err := startUp(ctx, dir, binary, images, "load", 18086, nil)
	if err != nil {
		return err
	}
	defer up.stop()
	for _, p := range programs() { // the first one of a language waits for its image
		if err := c.submit(ctx, p); err != nil {
			return err
		}
	}
	if err := loadClients(ctx, c); err != nil {
		return err
	}
	if err := loadLanguages(ctx, c); err != nil {
		return err
	}
	if err := loadNeighbours(ctx, c); err != nil {
		return err
	}
	return loadTooMuch(ctx, c)
}

// loadTable begins a table of rows.
func loadTable(title string) {
	fmt.Printf("\n%-44s %10s %10s %10s %10s\n", title, "jobs/s", "p50 ms", "p99 ms", "p99.9 ms")
}

// loadRow prints and records the result of a step.
func loadRow(title, name string, times []time.Duration, took time.Duration) {
	if len(times) == 0 {
		fmt.Printf("  %-42s %10s\n", name, "none ended")
		return
	}
	perSecond := float64(len(times)) / took.Seconds()
	p50, p99 := percentile(times, 50), percentile(times, 99)
	results = append(results, result{What: "load, " + title, Contender: name, P50Ms: ms(p50), P99Ms: ms(p99), PerSecond: perSecond})
	fmt.Printf("  %-42s %10.1f %10.2f %10.2f %10.2f\n", name, perSecond, ms(p50), ms(p99), ms(percentile(times, 99.9)))
}

// loadClients has more and more clients run a hello in Python.
func loadClients(ctx context.Context, c *rest) error {
	const title = "python hello, by clients"
	loadTable(title)
	for _, clients := range []int{1, 2, 4, 8, 16, 32, 64} {
		times, took, err := drive(ctx, clients, loadFor, func(ctx context.Context) error { return c.submit(ctx, programs()[0]) })
		if err != nil {
			return err
		}
		loadRow(title, fmt.Sprintf("%d clients", clients), times, took)
	}
	return nil
}

// loadLanguages has four clients of each language at the same time.
func loadLanguages(ctx context.Context, c *rest) error {
	const title = "three languages at once, 4 clients each"
	loadTable(title)
	times, took, failed := map[string][]time.Duration{}, map[string]time.Duration{}, map[string]error{}
	var mu sync.Mutex
	var all sync.WaitGroup
	for _, p := range programs() {
		all.Go(func() {
			t, d, err := drive(ctx, 4, 2*loadFor, func(ctx context.Context) error { return c.submit(ctx, p) })
			mu.Lock()
			defer mu.Unlock()
			times[p.Language], took[p.Language], failed[p.Language] = t, d, err
		})
	}
	all.Wait()
	for _, p := range programs() {
		if err := failed[p.Language]; err != nil {
			return err
		}
		loadRow(title, p.Language, times[p.Language], took[p.Language])
	}
	return nil
}

// loadNeighbours has two clients of one tenant run a hello, beside many clients of another one.
func loadNeighbours(ctx context.Context, c *rest) error {
	const title = "python hello, 2 clients, beside 32 of"
	loadTable(title)
	for _, n := range hostile {
		during, stop := context.WithCancel(ctx)
		var others sync.WaitGroup
		for range neighbours {
			others.Go(func() {
				for during.Err() == nil {
					_, _, _ = c.post(during, neighbourKey, "?waitMs=30000", job.Spec{Language: "python", Source: n.source}) // whatever its result
				}
			})
		}
		times, took, err := drive(ctx, 2, loadFor, func(ctx context.Context) error { return c.submit(ctx, programs()[0]) })
		stop()
		others.Wait()
		if err != nil {
			return err
		}
		loadRow(title, n.name, times, took)
		if err := c.idle(ctx); err != nil { // what they left in the queue
			return err
		}
	}
	return nil
}

// loadTooMuch submits four times as many jobs a second as can be run, without waiting for them, and counts those that end meanwhile.
func loadTooMuch(ctx context.Context, c *rest) error {
	times, took, err := drive(ctx, 16, loadFor, func(ctx context.Context) error { return c.submit(ctx, programs()[0]) })
	if err != nil {
		return err
	}
	peak := float64(len(times)) / took.Seconds()
	rate := 4 * peak
	before, err := c.succeeded(ctx)
	if err != nil {
		return err
	}
	var accepted, refused, failed atomic.Int64
	var all sync.WaitGroup
	began := time.Now()
	for n := 0; time.Since(began) < loadOver && ctx.Err() == nil; n++ {
		time.Sleep(time.Until(began.Add(time.Duration(float64(n) / rate * float64(time.Second)))))
		all.Go(func() {
			status, _, err := c.post(ctx, benchKey, "", programs()[0])
			switch {
			case err == nil && status < 300:
				accepted.Add(1)
			case err == nil && (status == http.StatusTooManyRequests || status == http.StatusServiceUnavailable):
				refused.Add(1)
			default:
				failed.Add(1)
			}
		})
	}
	took = time.Since(began)
	after, err := c.succeeded(ctx)
	if err != nil {
		return err
	}
	all.Wait()
	done := float64(after-before) / took.Seconds()
	results = append(results, result{What: "load, 4 times too much", Contender: "python hello", PerSecond: done, Ratio: done / peak})
	fmt.Printf("\n%.0f submissions a second, 4 times the peak of %.0f: %d accepted, %d refused, %d failed; %.0f jobs a second ended, %.0f %% of the peak\n",
		rate, peak, accepted.Load(), refused.Load(), failed.Load(), done, 100*done/peak)
	return nil
}

var finishedMetric = regexp.MustCompile(`(?m)^ccee_jobs_finished_total\{state="succeeded"\} (\d+)$`)

// succeeded is how many jobs have done so far.
func (c *rest) succeeded(ctx context.Context) (int64, error) {
	_, body, err := c.get(ctx, "/metrics")
	if err != nil {
		return 0, err
	}
	m := finishedMetric.FindSubmatch(body)
	if m == nil {
		return 0, fmt.Errorf("GET /metrics has no ccee_jobs_finished_total")
	}
	return strconv.ParseInt(string(m[1]), 10, 64)
}

// idle waits until no job waits or runs.
func (c *rest) idle(ctx context.Context) error {
	return until(ctx, func() error {
		_, body, err := c.get(ctx, "/metrics")
		if err == nil && !(bytes.Contains(body, []byte("\nccee_queue_depth 0\n")) && bytes.Contains(body, []byte("\nccee_queue_active 0\n"))) {
			err = fmt.Errorf("jobs are still waiting or running")
		}
		return err
	})
}

// drive has several clients do the same thing for a while, and returns how long each took, and how long all was.
func drive(ctx context.Context, clients int, during time.Duration, do func(context.Context) error) ([]time.Duration, time.Duration, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	began := time.Now()
	times := make([][]time.Duration, clients)
	var all sync.WaitGroup
	for i := range clients {
		all.Go(func() {
			for time.Since(began) < during && ctx.Err() == nil {
				start := time.Now()
				if err := do(ctx); err != nil {
					cancel(err)
					return
				}
				times[i] = append(times[i], time.Since(start))
			}
		})
	}
	all.Wait()
	return slices.Concat(times...), time.Since(began), context.Cause(ctx)
}
