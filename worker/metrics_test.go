// SPDX-License-Identifier: Apache-2.0

package worker

import (
	"slices"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"

	"github.com/ccee-dev/ccee/job"
	"github.com/ccee-dev/ccee/queue"
)

// Every metric is registered. How long a job waited is counted once, at its first attempt: later ones wait for their retry, too.
func TestMetrics(t *testing.T) {
	reg := prometheus.NewRegistry()
	m, err := newMetrics(reg)
	if err != nil {
		t.Fatal(err)
	}
	w := &Worker{metrics: m, log: zerolog.Nop()}
	submitted := time.Now()
	for attempt, after := range []time.Duration{2 * time.Second, time.Minute} {
		l := &queue.Lease{Job: job.Spec{Language: "python"}, Attempt: attempt + 1, CreatedAt: submitted, StartedAt: submitted.Add(after)}
		w.report(l, decision{action: complete, result: job.Result{Verdict: job.Exited}}, time.Second, ending{state: "succeeded"})
	}
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, f := range families {
		names = append(names, f.GetName())
		if f.GetName() != "ccee_worker_queue_wait_seconds" {
			continue
		}
		if h := f.GetMetric()[0].GetHistogram(); h.GetSampleCount() != 1 || h.GetSampleSum() != 2 {
			t.Errorf("%d waits of %v s together, want one of 2 s", h.GetSampleCount(), h.GetSampleSum())
		}
	}
	want := []string{"ccee_worker_backend_ready", "ccee_worker_claim_errors_total", "ccee_worker_job_seconds", "ccee_worker_jobs_running",
		"ccee_worker_jobs_total", "ccee_worker_queue_wait_seconds", "ccee_worker_verdicts_total"}
	if !slices.Equal(names, want) {
		t.Errorf("metrics %v, want %v", names, want)
	}
}
