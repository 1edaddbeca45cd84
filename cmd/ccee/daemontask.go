// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"

	"github.com/ccee-dev/ccee/daemon"
	"github.com/ccee-dev/ccee/job"
	"github.com/ccee-dev/ccee/policy"

	"github.com/urfave/cli/v3"
)

func tierFlag() cli.Flag {
	return &cli.StringFlag{
		Name: "tier", Sources: cli.EnvVars("CCEE_TIER"), Value: "jail", Validator: checkTier,
		Usage: "what isolates jobs, `WORD`: jail (namespaces, cgroups) or task (a uid, seccomp and watched limits, in a container that " +
			"may make no namespaces, as on AWS Fargate)",
	}
}

func oneJobFlag() cli.Flag {
	return &cli.BoolFlag{
		Name: "one-job", Sources: cli.EnvVars("CCEE_ONE_JOB"), Value: true,
		Usage: "in the tier task, end after one job: no two share a container; --one-job=false: go on, one at a time (default: true)",
	}
}

// checkTier refuses a tier that no daemon has. A daemon that can't have the tier it is asked for does not serve.
func checkTier(word string) error {
	if word != "jail" && word != daemon.TierTask {
		return fmt.Errorf("%q: it must be jail or %s", word, daemon.TierTask)
	}
	return nil
}

// runTaskDaemon serves jobs in the tier task. Of the flags that are about many jobs at once it takes none.
func runTaskDaemon(ctx context.Context, cmd *cli.Command) error {
	tracing, stop, err := newTracing(ctx, cmd)
	if err != nil {
		return err
	}
	defer stop()
	rules, err := policy.Load(cmd.String("seccomp"))
	if err != nil {
		return err
	}
	srv, err := daemon.New(daemon.Options{
		Trace: tracing, Socket: cmd.String("socket"), Policy: rules, Log: newLogger("daemon", cmd.String("log-level")),
		Tier: daemon.TierTask, OneJob: cmd.Bool("one-job"), MemoryBytes: cmd.Int64("memory-mb") * job.MiB,
		QueueWait: milliseconds(cmd, "queue-wait-ms"), Drain: drainTime(cmd), AllowDegraded: cmd.Bool("allow-degraded"),
	})
	if err != nil {
		return err
	}
	return srv.Serve(ctx)
}
