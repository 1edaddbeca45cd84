// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"slices"

	"github.com/ccee-dev/ccee/queue"
	"github.com/ccee-dev/ccee/worker"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	buildinfo "github.com/prometheus/client_golang/prometheus/collectors/version"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"github.com/rs/zerolog"
	"github.com/urfave/cli/v3"
)

func workerCommand() *cli.Command {
	return &cli.Command{
		Name:  "worker",
		Usage: "take jobs from the queue and run them on a daemon",
		Description: `Needs Redis, no privilege, and what EXECUTION_BACKEND says:

   local   the daemon's socket: membership in the group ccee
   pool    the daemons of CCEE_DAEMONS, by mutual TLS: a certificate (ccee cert --help)
   ecs     the ECS_... settings, CCEE_TASK_URL, and credentials that may run, describe, list and stop tasks

SIGTERM: no further job is taken, running ones finish within --drain-ms, the rest goes back to the queue.

   ccee worker
   WORKER_CONCURRENCY=8 REDIS_URL=redis://queue.internal:6379 ccee worker

` + redisHelp,
		Flags: append(slices.Concat(queueFlags(), tracingFlags("ccee-worker"), ecsFlags(), poolFlags()),
			backendFlag(), languagesFlag(), socketFlag(), logLevelFlag(), drainFlag(),
			stringFlag("metrics-listen", "WORKER_METRICS_LISTEN", "", "`HOST:PORT` for Prometheus (default: none)"),
			intFlag("max-stdio-bytes", "MAX_STDIO_BYTES", 65_536, 1, 1_000_000, "bytes kept of each stream of a step, unless the job sets another limit"),
			intFlag("concurrency", "WORKER_CONCURRENCY", 4, 0, worker.MaxConcurrency, "jobs at once, 0 for as many as the daemon has slots"),
			intFlag("tenant-share", "WORKER_TENANT_SHARE", 75, 1, 100, "max `PERCENT` of the free slots that one tenant may hold")),
		Action: noArgs(runWorker),
	}
}

// workerSecrets returns the variables without a flag.
func workerSecrets() []string { return []string{"REDIS_URL"} }

func runWorker(ctx context.Context, cmd *cli.Command) error {
	log := newLogger("worker", cmd.String("log-level"))
	q, err := openQueue(cmd)
	if err != nil {
		return err
	}
	defer q.Close()
	tracing, stop, err := newTracing(ctx, cmd)
	if err != nil {
		return err
	}
	defer stop()
	metrics := prometheus.NewRegistry()
	metrics.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}), buildinfo.NewCollector("ccee"))
	if err := serveMetrics(ctx, cmd.String("metrics-listen"), promhttp.HandlerFor(metrics, promhttp.HandlerOpts{})); err != nil {
		return err
	}
	backend, endBackend, err := newBackend(ctx, cmd, q, metrics, log)
	if err != nil {
		return err
	}
	defer endBackend()
	hold, stopGuard, err := newGuard(context.WithoutCancel(ctx), log) // until the last job has ended
	if err != nil {
		return err
	}
	defer stopGuard()
	w, err := worker.New(q, backend, worker.Options{
		Concurrency: int(cmd.Int64("concurrency")), TenantShare: int(cmd.Int64("tenant-share")), Drain: milliseconds(cmd, "drain-ms"),
		Log: log, Backend: cmd.String("backend"), Hold: hold, Metrics: metrics, Trace: tracing, OutputBytes: outputBytes(cmd),
	})
	if err != nil {
		return err
	}
	return w.Run(ctx)
}

// backendLocal is the value of EXECUTION_BACKEND for a daemon on this machine.
const backendLocal = "local"

func backendFlag() cli.Flag {
	return &cli.StringFlag{Name: "backend", Sources: cli.EnvVars("EXECUTION_BACKEND"), Value: backendLocal,
		Validator: oneOf(backendLocal, backendPool, backendECS),
		Usage:     "where jobs run, `WORD`: local (the daemon on --socket), pool (those of --daemons), ecs (each in an ECS task)"}
}

// newBackend returns the backend of EXECUTION_BACKEND. The caller calls stop when its jobs have ended.
func newBackend(ctx context.Context, cmd *cli.Command, q *queue.Queue, metrics prometheus.Registerer, log zerolog.Logger) (
	b worker.Backend, stop func(), err error) {
	switch cmd.String("backend") {
	case backendECS:
		return newECS(ctx, cmd, q, log)
	case backendPool:
		return newPool(ctx, cmd, metrics, log)
	}
	return worker.NewLocal(cmd.String("socket")), func() {}, nil
}

// outputBytes returns --max-stdio-bytes, or 0 where it isn't set: then the language's default applies.
func outputBytes(cmd *cli.Command) int64 {
	if !cmd.IsSet("max-stdio-bytes") {
		return 0
	}
	return cmd.Int64("max-stdio-bytes")
}
