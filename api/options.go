// SPDX-License-Identifier: Apache-2.0

package api

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"time"

	"github.com/rs/zerolog"
	"go.opentelemetry.io/otel/trace"

	"github.com/ccee-dev/ccee/api/analysis"
	"github.com/ccee-dev/ccee/api/auth"
	"github.com/ccee-dev/ccee/api/task"
	"github.com/ccee-dev/ccee/api/webhook"
	"github.com/ccee-dev/ccee/job"
	"github.com/ccee-dev/ccee/queue"
)

// Options configure a Server. DefaultOptions has the contract's numbers; Queue, Auth and Log have no default.
type Options struct {
	Queue *queue.Queue
	Auth  auth.Authenticator
	Log   zerolog.Logger
	Trace trace.TracerProvider // nil: no traces

	TrustedProxies []netip.Prefix // TRUSTED_PROXIES: whose X-Forwarded-For is believed

	Languages []job.Language // CCEE_LANGUAGES: that can be submitted though no worker has ever announced them

	Origins []string // CORS_ALLOWED_ORIGINS: http(s)://host[:port] or http(s)://*.suffix

	RateLimit   int64 // RATE_LIMIT_REQUESTS_PER_MINUTE: a tenant's requests in a window
	SubmitLimit int64 // SUBMIT_RATE_LIMIT_PER_MINUTE: a tenant's submissions in a window
	// RedeliverLimit is REDELIVER_RATE_LIMIT_PER_MINUTE: webhooks that a tenant may have delivered again in a window.
	RedeliverLimit int64
	RateWindow     time.Duration // RATE_LIMIT_WINDOW_SECONDS

	MaxSourceBytes int // MAX_SOURCE_CODE_BYTES: UTF-8 bytes
	MaxStdinBytes  int // MAX_STDIN_BYTES: bytes
	MaxAttempts    int // QUEUE_JOB_ATTEMPTS: runs of a job that fails by our fault

	MaxStoredBytes int64 // MAX_STORED_BYTES: that a tenant's jobs take in Redis, unless its quota says otherwise

	ListDefault int // JOB_LIST_DEFAULT_LIMIT: jobs in a history
	ListMax     int // JOB_LIST_MAX_LIMIT

	Model       *analysis.OpenAI // nil: AI_PROVIDER is none
	ModelName   string           // OPENAI_MODEL
	ModelBudget int              // ANALYSIS_DAILY_BUDGET: calls of the model for one tenant on a day

	Submitted func()       // is called for each job that was admitted, and must not wait; nil: nobody wants to know
	Tasks     *task.Routes // nil: no job runs in ECS tasks, so their routes are not there

	Archive Archive // ARCHIVE_DATABASE_URL; nil: none

	Webhooks webhook.Policy // WEBHOOK_ALLOWED_NETS, WEBHOOK_ALLOW_HTTP: where webhooks may go besides public https

	// StartReplay starts the task on ECS that replays dead-lettered jobs; nil: there is none. DLQ_REPLAY_TASK_DEFINITION_ARN
	StartReplay func(context.Context) (StartedTask, error)

	BurstMax int64 // ADMIN_BURST_MAX: jobs of one simulated burst

	MetricsWindow time.Duration // METRICS_WINDOW_SECONDS: over which rates are computed
	FleetCapacity int64         // WORKER_FLEET_CAPACITY: jobs that all workers together can run at once

	QueueDepthTarget int // QUEUE_DEPTH_TARGET: waiting jobs that autoscaling aims at; shown in /health/summary
}

// DefaultOptions returns the contract's defaults. Allowed origins are local ones only.
func DefaultOptions() Options {
	return Options{
		Origins:   []string{"http://localhost:8080", "http://localhost:3000", "http://localhost:5173"},
		RateLimit: 240, SubmitLimit: 60, RedeliverLimit: 20, RateWindow: time.Minute,
		MaxSourceBytes: 100_000, MaxStdinBytes: 100_000, MaxAttempts: 3, MaxStoredBytes: queue.DefaultMaxStored,
		ListDefault: 20, ListMax: 100,
		BurstMax: 1000, ModelBudget: 200, MetricsWindow: time.Minute, FleetCapacity: 4,
		QueueDepthTarget: 25,
	}
}

// check reports the first option that is missing or out of its range, by the name of its environment variable.
func (o *Options) check() error {
	if o.Queue == nil || o.Auth == nil {
		return errors.New("api.Options: Queue and Auth must be set")
	}
	for _, r := range []struct {
		name       string
		v          int64
		least, top int64
	}{
		{"RATE_LIMIT_REQUESTS_PER_MINUTE", o.RateLimit, 1, 100_000},
		{"SUBMIT_RATE_LIMIT_PER_MINUTE", o.SubmitLimit, 1, 100_000},
		{"REDELIVER_RATE_LIMIT_PER_MINUTE", o.RedeliverLimit, 1, 100_000},
		{"RATE_LIMIT_WINDOW_SECONDS", int64(o.RateWindow / time.Second), 10, 3600},
		{"MAX_SOURCE_CODE_BYTES", int64(o.MaxSourceBytes), 1, 1_000_000},
		{"MAX_STDIN_BYTES", int64(o.MaxStdinBytes), 1, 1_000_000},
		{"QUEUE_JOB_ATTEMPTS", int64(o.MaxAttempts), 1, 10},
		{"MAX_STORED_BYTES", o.MaxStoredBytes, 1, 1 << 40},
		{"JOB_LIST_MAX_LIMIT", int64(o.ListMax), 1, 500},
		{"JOB_LIST_DEFAULT_LIMIT", int64(o.ListDefault), 1, min(200, int64(o.ListMax))},
		{"ANALYSIS_DAILY_BUDGET", int64(o.ModelBudget), 0, 1_000_000},
		{"METRICS_WINDOW_SECONDS", int64(o.MetricsWindow / time.Second), 10, 3600},
		{"WORKER_FLEET_CAPACITY", o.FleetCapacity, 1, 1000},
		{"ADMIN_BURST_MAX", o.BurstMax, 1, 10_000},
		{"QUEUE_DEPTH_TARGET", int64(o.QueueDepthTarget), 1, 10_000},
	} {
		if r.v < r.least || r.v > r.top {
			return fmt.Errorf("%s is %d, it must be from %d to %d", r.name, r.v, r.least, r.top)
		}
	}
	return nil
}
