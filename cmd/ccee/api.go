// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"os"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"github.com/ccee-dev/ccee/api"
	"github.com/ccee-dev/ccee/api/webhook"

	"github.com/urfave/cli/v3"
)

// apiMemory is the heap size in bytes from which on the garbage collector works harder: more than the budgets of bodies and answers allow
// to be live at once.
const apiMemory = 768 << 20

func apiCommand() *cli.Command {
	d := api.DefaultOptions()
	return &cli.Command{
		Name:  "api",
		Usage: "serve the REST API",
		Description: `Needs Redis and no privilege; the contract is api/openapi.yaml.

   ccee api --dev
   TENANT_API_KEYS_JSON='{"KEY":{"tenantId":"acme","maxConcurrentJobs":20}}' ccee api --listen 0.0.0.0:8080

TENANT_API_KEYS_JSON maps API keys to tenants and their quotas; TENANT_POLICIES_JSON has the quotas of tenants whose callers use
tokens; ADMIN_API_KEYS_JSON lists the keys of operators, which must be keys of a tenant too. AUTH_FILE can hold all of that with hashed
keys, and is read again when it changes. ` + redisHelp + "\n\n" + archiveHelp,
		Flags: slices.Concat(queueFlags(), authFlags(), modelFlags(), tracingFlags("ccee-api"), cloudFlags(), []cli.Flag{
			devFlag(), listenFlag(), apiPortFlag(), logLevelFlag(), languagesFlag(), maxWaitFlag(), taskRoutesFlag(),
			&cli.IntFlag{Name: "listen-fd", Hidden: true, Usage: "listen on this descriptor: ccee up hands its socket on"},
			intFlag("rate-limit", "RATE_LIMIT_REQUESTS_PER_MINUTE", d.RateLimit, 1, 100_000, "requests of a tenant in a window"),
			intFlag("submit-rate-limit", "SUBMIT_RATE_LIMIT_PER_MINUTE", d.SubmitLimit, 1, 100_000, "submissions of a tenant in a window"),
			intFlag("redeliver-rate-limit", "REDELIVER_RATE_LIMIT_PER_MINUTE", d.RedeliverLimit, 1, 100_000, "redeliveries of webhooks for a tenant in a window"),
			intFlag("rate-window-s", "RATE_LIMIT_WINDOW_SECONDS", int64(d.RateWindow/time.Second), 10, 3600, "seconds of these windows"),
			intFlag("max-source-bytes", "MAX_SOURCE_CODE_BYTES", int64(d.MaxSourceBytes), 1, 1_000_000, "bytes of a source"),
			intFlag("max-stdin-bytes", "MAX_STDIN_BYTES", int64(d.MaxStdinBytes), 1, 1_000_000, "bytes of stdin"),
			intFlag("max-stored-bytes", "MAX_STORED_BYTES", d.MaxStoredBytes, 1, 1<<40, "bytes of a tenant's jobs in Redis, unless its quota has maxStoredBytes"),
			intFlag("attempts", "QUEUE_JOB_ATTEMPTS", int64(d.MaxAttempts), 1, 10, "attempts of a job that fails by a fault of ccee"),
			intFlag("list-default", "JOB_LIST_DEFAULT_LIMIT", int64(d.ListDefault), 1, 200, "jobs on a page of a history, unless the request sets a limit"),
			intFlag("list-max", "JOB_LIST_MAX_LIMIT", int64(d.ListMax), 1, 500, "most jobs on a page of a history"),
			intFlag("queue-depth-target", "QUEUE_DEPTH_TARGET", int64(d.QueueDepthTarget), 1, 10_000, "waiting jobs at which autoscaling aims"),
			intFlag("metrics-window-s", "METRICS_WINDOW_SECONDS", int64(d.MetricsWindow/time.Second), 10, 3600, "seconds over which rates are computed"),
			intFlag("fleet-capacity", "WORKER_FLEET_CAPACITY", d.FleetCapacity, 1, 1000, "jobs that all workers together run at once, for the utilization metric"),
			stringFlag("metrics-listen", "API_METRICS_LISTEN", "", "`HOST:PORT` for all metrics, including those by tenant: for operators only (default: none)"),
			intFlag("burst-max", "ADMIN_BURST_MAX", d.BurstMax, 1, 10_000, "jobs of one simulated burst"),
			stringFlag("webhook-nets", "WEBHOOK_ALLOWED_NETS", "", "private networks that webhooks may be sent to, `CIDR,...`"),
			&cli.BoolFlag{Name: "webhook-http", Sources: cli.EnvVars("WEBHOOK_ALLOW_HTTP"), Usage: "allow webhooks to http:// URLs"},
			stringFlag("origins", "CORS_ALLOWED_ORIGINS", strings.Join(d.Origins, ","), "browser origins, `LIST` with commas"),
		}),
		Action: noArgs(runAPI),
	}
}

// apiSecrets returns the variables without a flag.
func apiSecrets() []string { return append(authSecrets(), "REDIS_URL", "OPENAI_API_KEY", archiveURL) }

func runAPI(ctx context.Context, cmd *cli.Command) error {
	// A few MiB are live and much more is garbage: collecting at twice the live heap would cost a seventh of the CPU.
	debug.SetGCPercent(400)
	if os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(apiMemory)
	}
	log := newLogger("api", cmd.String("log-level"))
	opts, err := apiOptions(cmd)
	if err != nil {
		return err
	}
	opts.Log = log
	if opts.Auth, err = newGate(ctx, cmd, log); err != nil {
		return err
	}
	q, err := openQueue(cmd)
	if err != nil {
		return err
	}
	defer q.Close()
	opts.Queue = q
	var stop func()
	if opts.Trace, stop, err = newTracing(ctx, cmd); err != nil {
		return err
	}
	defer stop()
	old, err := openArchive()
	if err != nil {
		return err
	}
	if old != nil {
		defer old.Close()
		opts.Archive = old
	}
	opts.Tasks, stop, err = newTaskRoutes(cmd, q, log)
	if err != nil {
		return err
	}
	defer stop()
	if opts.StartReplay, err = newReplayTask(ctx, cmd); err != nil {
		return err
	}
	publisher, err := newPublisher(ctx, cmd, q, log)
	if err != nil {
		return err
	}
	if publisher != nil {
		opts.Submitted = publisher.Submitted
	}
	srv, err := api.New(opts)
	if err != nil {
		return err
	}
	stopPublisher, err := startPublisher(ctx, publisher, srv.Metrics())
	if err != nil {
		return err
	}
	defer stopPublisher()
	if old != nil {
		stop, err := keepArchive(ctx, old, q, log, srv.Metrics())
		if err != nil {
			return err
		}
		defer stop()
	}
	if err := serveMetrics(ctx, cmd.String("metrics-listen"), srv.MetricsHandler()); err != nil {
		return err
	}
	l, err := apiListener(cmd)
	if err != nil {
		return err
	}
	return srv.Serve(ctx, l)
}

// apiOptions returns what the flags alone decide.
func apiOptions(cmd *cli.Command) (o api.Options, err error) {
	n := cmd.Int64
	o = api.Options{
		Origins:   splitList(cmd.String("origins")),
		RateLimit: n("rate-limit"), SubmitLimit: n("submit-rate-limit"), RedeliverLimit: n("redeliver-rate-limit"), RateWindow: time.Duration(n("rate-window-s")) * time.Second,
		MaxSourceBytes: int(n("max-source-bytes")), MaxStdinBytes: int(n("max-stdin-bytes")), MaxAttempts: int(n("attempts")), MaxStoredBytes: n("max-stored-bytes"),
		ListDefault: int(n("list-default")), ListMax: int(n("list-max")), QueueDepthTarget: int(n("queue-depth-target")), BurstMax: n("burst-max"),
		MetricsWindow: time.Duration(n("metrics-window-s")) * time.Second, FleetCapacity: n("fleet-capacity"),
		ModelName: cmd.String("openai-model"), ModelBudget: int(n("analysis-budget")),
		Webhooks: webhook.Policy{HTTP: cmd.Bool("webhook-http")},
	}
	if o.Webhooks.Nets, err = networks("WEBHOOK_ALLOWED_NETS", cmd.String("webhook-nets")); err != nil {
		return o, err
	}
	if o.TrustedProxies, err = networks("TRUSTED_PROXIES", cmd.String("trusted-proxies")); err != nil {
		return o, err
	}
	model, err := newModel(cmd)
	if err != nil {
		return o, err
	}
	o.Model = model
	o.Languages, err = seedLanguages(cmd.String("languages"))
	return o, err
}
