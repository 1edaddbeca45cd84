// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ccee-dev/ccee/job"
	"github.com/ccee-dev/ccee/queue"
)

// The load of the soak: clients that submit over REST, and workers that finish the jobs without running them.
const (
	soakClients = 16
	soakWorkers = 16
	soakBacklog = 500              // jobs that wait; more of them would only be more of the same
	soakTTL     = 20 * time.Second // of a finished job: with the day that it is else, nothing would expire meanwhile
	soakRows    = 10
)

// soak submits and finishes jobs, and shows the memory of Redis and the api after each tenth of them. All that is bounded is full after
// the first tenths; from then on it must not grow.
func soak(ctx context.Context, dir, binary string, jobs int64) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	ttl := fmt.Sprintf("JOB_TTL_SECONDS=%d", int(soakTTL.Seconds()))
	s, err := newStand(ctx, filepath.Join(dir, "soak"), binary, queue.Options{JobTTL: soakTTL}, ttl, "RATE_LIMIT_WINDOW_SECONDS=10")
	if err != nil {
		return err
	}
	defer s.stop()
	var submitted, finished atomic.Int64
	failed := make(chan error, soakClients+soakWorkers)
	var wg sync.WaitGroup
	defer func() { cancel(); wg.Wait() }()
	for range soakWorkers {
		wg.Go(func() { failed <- s.finishJobs(ctx, &finished) })
	}
	for range soakClients {
		wg.Go(func() {
			for n := submitted.Add(1); n <= jobs; n = submitted.Add(1) {
				for n > finished.Load()+soakBacklog && ctx.Err() == nil {
					time.Sleep(time.Millisecond)
				}
				if err := submitOne(ctx, n); err != nil {
					failed <- err
					return
				}
			}
		})
	}
	fmt.Printf("\n%d jobs, submitted over REST by %d tenants and finished, kept for %v each\n%10s %8s %10s %10s %10s\n", jobs, apiTenants, soakTTL, "jobs", "jobs/s", "redis MiB", "keys", "api MiB")
	began, tick := time.Now(), time.NewTicker(50*time.Millisecond)
	defer tick.Stop()
	for row := int64(1); row <= soakRows; {
		select {
		case err := <-failed:
			return err
		case <-tick.C:
		}
		if n := finished.Load(); n >= jobs*row/soakRows {
			used, keys, err := s.redisHolds()
			if err != nil {
				return err
			}
			fmt.Printf("%10d %8.0f %10.1f %10s %10.1f\n", n, float64(n)/time.Since(began).Seconds(), used, keys, s.api.memory())
			row++
		}
	}
	return nil
}

// submitOne submits a job as tenant n. 429 means that a quota is used up, and is tried again.
func submitOne(ctx context.Context, n int64) error {
	for {
		body := strings.NewReader(fmt.Sprintf(`{"language":"python","sourceCode":"print(%d) # %0200d"}`, n, n))
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+apiListen+"/v1/jobs", body)
		if err != nil {
			return err
		}
		req.Header.Set("x-api-key", tenantKey(int(n%apiTenants)))
		req.Header.Set("content-type", "application/json")
		resp, err := soakClient.Do(req)
		if err != nil {
			return err
		}
		text, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		switch {
		case err != nil:
			return err
		case resp.StatusCode == http.StatusAccepted:
			return nil
		case resp.StatusCode != http.StatusTooManyRequests:
			return fmt.Errorf("POST /v1/jobs: %s: %s", resp.Status, text)
		}
		time.Sleep(time.Millisecond)
	}
}

var soakClient = http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: soakClients}}

// finishJobs takes jobs and finishes them until ctx ends.
func (s *stand) finishJobs(ctx context.Context, finished *atomic.Int64) error {
	zero := 0
	out := job.Output{Data: []byte(strings.Repeat("x", 200)), Bytes: 200}
	res := job.Result{Status: job.Succeeded, Verdict: job.Exited, ExitCode: &zero, WallMs: 10, Tier: "jail",
		Steps: []job.Step{{Name: "run", Verdict: job.Exited, ExitCode: &zero, Stdout: out, Limits: job.DefaultRun}}}
	for {
		l, err := s.queue.Claim(ctx, queue.Claimer{Worker: "bench", Languages: []string{"python"}})
		if err == nil {
			err = l.Complete(ctx, queue.Outcome{Result: res, FailureCategory: "none", EstimatedCostUsd: 1e-8, BillableDurationMs: 10, CostModelVersion: "fargate-v1"})
		}
		switch {
		case errors.Is(ctx.Err(), context.Canceled):
			return nil
		case err != nil:
			return err
		}
		finished.Add(1)
	}
}

var (
	usedMemory = regexp.MustCompile(`(?m)^used_memory:(\d+)`)
	redisKeys  = regexp.MustCompile(`keys=(\d+)`)
)

// redisHolds returns the memory of Redis in MiB and its number of keys.
func (s *stand) redisHolds() (mib float64, keys string, err error) {
	out, err := exec.Command("redis-cli", "-s", filepath.Join(filepath.Dir(s.redis.log), "redis.sock"), "INFO").Output()
	if err != nil {
		return 0, "", err
	}
	var bytes float64
	if m := usedMemory.FindSubmatch(out); m != nil {
		_, err = fmt.Sscan(string(m[1]), &bytes)
	}
	if m := redisKeys.FindSubmatch(out); m != nil {
		keys = string(m[1])
	}
	return bytes / (1 << 20), keys, err
}
