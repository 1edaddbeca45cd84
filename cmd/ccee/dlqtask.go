// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"

	"github.com/ccee-dev/ccee/api"
	"github.com/ccee-dev/ccee/cloud/ecs"

	"github.com/urfave/cli/v3"
)

// replayTaskFlags say where POST /v1/admin/runbook/dlq starts ccee dlq replay.
func replayTaskFlags() []cli.Flag {
	ip := stringFlag("replay-public-ip", "DLQ_REPLAY_ASSIGN_PUBLIC_IP", publicIPDisabled,
		"`WORD`, whether that task has a public address: ENABLED or DISABLED").(*cli.StringFlag)
	ip.Validator = func(s string) error {
		if s != publicIPEnabled && s != publicIPDisabled {
			return fmt.Errorf("must be %s or %s, not %q", publicIPEnabled, publicIPDisabled, s)
		}
		return nil
	}
	return []cli.Flag{
		stringFlag("ecs-cluster", "ECS_CLUSTER_ARN", "", "`ARN` of the cluster in ECS"),
		stringFlag("replay-task", "DLQ_REPLAY_TASK_DEFINITION_ARN", "",
			"`ARN` of the task definition that runs ccee dlq replay, for POST /v1/admin/runbook/dlq (default: that route answers 503)"),
		stringFlag("replay-subnets", "DLQ_REPLAY_SUBNET_IDS", "", "subnets of that task, `ID,...`"),
		stringFlag("replay-security-groups", "DLQ_REPLAY_SECURITY_GROUP_IDS", "", "security groups of that task, `ID,...`"),
		ip,
	}
}

// Words of ECS for AssignPublicIp.
const publicIPEnabled, publicIPDisabled = "ENABLED", "DISABLED"

// newReplayTask returns what starts the replay as a task; nil where that is not configured.
func newReplayTask(ctx context.Context, cmd *cli.Command) (func(context.Context) (api.StartedTask, error), error) {
	c := ecs.ReplayConfig{
		Region: cmd.String("aws-region"), Cluster: cmd.String("ecs-cluster"), Definition: cmd.String("replay-task"),
		Subnets: splitList(cmd.String("replay-subnets")), SecurityGroups: splitList(cmd.String("replay-security-groups")),
		PublicIP: cmd.String("replay-public-ip") == publicIPEnabled,
	}
	switch {
	case c.Cluster == "" || c.Definition == "":
		return nil, nil
	case len(c.Subnets) == 0 || len(c.SecurityGroups) == 0:
		return func(context.Context) (api.StartedTask, error) { return api.StartedTask{}, api.ErrNoTaskNetwork }, nil
	}
	r, err := ecs.NewReplay(ctx, c)
	if err != nil {
		return nil, err
	}
	return func(ctx context.Context) (api.StartedTask, error) {
		tasks, failures, err := r.Start(ctx)
		started := api.StartedTask{Definition: c.Definition, Tasks: tasks}
		for _, f := range failures {
			started.Failures = append(started.Failures, api.TaskFailure(f))
		}
		return started, err
	}, nil
}
