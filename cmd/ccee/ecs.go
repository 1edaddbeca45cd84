// SPDX-License-Identifier: Apache-2.0

package main

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/ccee-dev/ccee/api/task"
	"github.com/ccee-dev/ccee/cloud/ecs"
	"github.com/ccee-dev/ccee/handoff"
	"github.com/ccee-dev/ccee/queue"
	entask "github.com/ccee-dev/ccee/task"
	"github.com/ccee-dev/ccee/worker"

	"github.com/rs/zerolog"
	"github.com/urfave/cli/v3"
)

// backendECS is the value of EXECUTION_BACKEND for one ECS task a job.
const backendECS = "ecs"

// ecsFlags configure a worker whose jobs run in ECS tasks. Names and defaults are the contract's, where it has them.
func ecsFlags() []cli.Flag {
	seconds := func(name, env string, def int64, usage string) cli.Flag {
		return intFlag(name, env, def, 5, 3600, usage)
	}
	return []cli.Flag{
		stringFlag("aws-region", "AWS_REGION", "", "`NAME` of the AWS region"),
		stringFlag("ecs-cluster", "ECS_CLUSTER_ARN", "", "`ARN` of the ECS cluster in which jobs run"),
		stringFlag("ecs-task-definition", "ECS_TASK_DEFINITION_ARN", "",
			"`ARN` of the task definition of tiers that have none of their own"),
		stringFlag("ecs-task-definition-small", "ECS_TASK_DEFINITION_ARN_SMALL", "", "`ARN` of the one with 0.25 vCPU and 0.5 GB"),
		stringFlag("ecs-task-definition-medium", "ECS_TASK_DEFINITION_ARN_MEDIUM", "", "`ARN` of the one with 0.5 vCPU and 1 GB"),
		stringFlag("ecs-task-definition-large", "ECS_TASK_DEFINITION_ARN_LARGE", "", "`ARN` of the one with 1 vCPU and 2 GB"),
		stringFlag("ecs-subnets", "ECS_SUBNET_IDS", "", "subnets of the tasks, `ID,...`"),
		stringFlag("ecs-security-groups", "ECS_SECURITY_GROUP_IDS", "", "security groups of the tasks, `ID,...`"),
		&cli.StringFlag{Name: "ecs-public-ip", Sources: cli.EnvVars("ECS_ASSIGN_PUBLIC_IP"), Value: "DISABLED",
			Usage:     "`WORD`: ENABLED or DISABLED",
			Validator: oneOf("ENABLED", "DISABLED")},
		stringFlag("ecs-container", "ECS_RUNNER_CONTAINER_NAME", "runner", "`NAME` of the container that runs ccee task"),
		&cli.BoolFlag{Name: "ecs-spot", Sources: cli.EnvVars("ECS_RUNNER_SPOT_ENABLED"), Value: true,
			Usage: "prefer FARGATE_SPOT (default: true)"},
		&cli.BoolFlag{Name: "ecs-fallback", Sources: cli.EnvVars("ECS_RUNNER_ONDEMAND_FALLBACK_ENABLED"), Value: true,
			Usage: "use FARGATE when Spot has no capacity (default: true)"},
		seconds("ecs-spot-launch-s", "ECS_SPOT_LAUNCH_SECONDS", 120, "seconds after which a Spot task that does not run yet is stopped"),
		seconds("ecs-launch-s", "ECS_LAUNCH_SECONDS", 300, "seconds for an on-demand task to run, and for ECS to take a launch"),
		seconds("ecs-first-call-s", "ECS_FIRST_CALL_SECONDS", 90, "seconds for a task that runs to ask for its job"),
		seconds("ecs-silence-s", "ECS_SILENCE_SECONDS", 60,
			"seconds without a call after which a task is stopped, and its job tried again"),
		taskURLFlag(),
	}
}

// oneOf refuses all words but these.
func oneOf(words ...string) func(string) error {
	return func(s string) error {
		if !slices.Contains(words, s) {
			return fmt.Errorf("%q: it must be one of %v", s, words)
		}
		return nil
	}
}

// newECS returns the backend of ECS tasks, and starts what it needs beside it until stop is called.
func newECS(ctx context.Context, cmd *cli.Command, q *queue.Queue, log zerolog.Logger) (b worker.Backend, stop func(), err error) {
	opts, err := ecsOptions(cmd)
	if err != nil {
		return nil, nil, usageError{fmt.Errorf("EXECUTION_BACKEND=%s: %w", backendECS, err)}
	}
	cluster, err := ecs.Load(ctx, cmd.String("aws-region"), ecsConfig(cmd), log)
	if err != nil {
		return nil, nil, usageError{fmt.Errorf("EXECUTION_BACKEND=%s: %w", backendECS, err)}
	}
	offers, err := handoff.New(q)
	if err != nil {
		return nil, nil, err
	}
	host, err := os.Hostname()
	if err != nil {
		return nil, nil, fmt.Errorf("name the reaper: %w", err)
	}
	// They outlive ctx: while the worker drains, its tasks are watched.
	beside, cancel := context.WithCancel(context.WithoutCancel(ctx))
	var running sync.WaitGroup
	running.Go(func() { cluster.Poll(beside) })
	running.Go(func() { cluster.Reap(beside, offers, fmt.Sprintf("%s-%d", host, os.Getpid())) })
	return worker.NewECS(cluster, offers, opts), func() { cancel(); running.Wait(); offers.Close() }, nil
}

func ecsConfig(cmd *cli.Command) ecs.Config {
	definition := func(tier string) string {
		return cmp.Or(cmd.String("ecs-task-definition-"+tier), cmd.String("ecs-task-definition"))
	}
	l := ecsLimits(cmd)
	return ecs.Config{
		Cluster: cmd.String("ecs-cluster"), Container: cmd.String("ecs-container"),
		Definitions: map[ecs.Tier]string{ecs.Small: definition("small"), ecs.Medium: definition("medium"), ecs.Large: definition("large")},
		Subnets:     splitList(cmd.String("ecs-subnets")), SecurityGroups: splitList(cmd.String("ecs-security-groups")),
		PublicIP: cmd.String("ecs-public-ip") == "ENABLED", Spot: cmd.Bool("ecs-spot"), Fallback: cmd.Bool("ecs-fallback"),
		SpotDeadline: l.Spot, LaunchDeadline: l.OnDemand,
	}
}

func ecsLimits(cmd *cli.Command) worker.ECSLimits {
	seconds := func(flag string) time.Duration { return time.Duration(cmd.Int64(flag)) * time.Second }
	return worker.ECSLimits{Spot: seconds("ecs-spot-launch-s"), OnDemand: seconds("ecs-launch-s"), FirstCall: seconds("ecs-first-call-s"),
		Silence: seconds("ecs-silence-s")}
}

func ecsOptions(cmd *cli.Command) (o worker.ECSOptions, err error) {
	o = worker.ECSOptions{URL: cmd.String("task-url"), Limits: ecsLimits(cmd)}
	if err := entask.CheckURL(o.URL); err != nil {
		return o, fmt.Errorf("CCEE_TASK_URL: %w", err)
	}
	if o.Languages, err = seedLanguages(cmd.String("languages")); err == nil && len(o.Languages) == 0 {
		err = fmt.Errorf("CCEE_LANGUAGES has no language")
	}
	return o, err
}

// taskRoutesFlag lets an api answer ECS tasks.
func taskRoutesFlag() cli.Flag {
	return &cli.BoolFlag{Name: "task-routes", Sources: cli.EnvVars("CCEE_TASK_ROUTES"),
		Usage: "answer the ECS tasks of workers with EXECUTION_BACKEND=ecs, on /v1/task/...: behind TLS alone"}
}

// newTaskRoutes returns the routes for ECS tasks, nil unless they are on. The caller calls stop at the end.
func newTaskRoutes(cmd *cli.Command, q *queue.Queue, log zerolog.Logger) (routes *task.Routes, stop func(), err error) {
	if !cmd.Bool("task-routes") {
		return nil, func() {}, nil
	}
	offers, err := handoff.New(q)
	if err != nil {
		return nil, nil, err
	}
	return task.New(offers, log), offers.Close, nil
}
