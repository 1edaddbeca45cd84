// SPDX-License-Identifier: Apache-2.0

package ecs

import (
	"context"
	"crypto/rand"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	awsecs "github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

// replayTimeout bounds the start of a replay, with the client's retries: an operator waits for the answer.
const replayTimeout = 10 * time.Second

// ReplayConfig says where the task runs that replays dead-lettered jobs: ccee dlq replay in a task of its own.
type ReplayConfig struct {
	Region         string   // AWS_REGION
	Cluster        string   // ECS_CLUSTER_ARN
	Definition     string   // DLQ_REPLAY_TASK_DEFINITION_ARN
	Subnets        []string // DLQ_REPLAY_SUBNET_IDS
	SecurityGroups []string // DLQ_REPLAY_SECURITY_GROUP_IDS
	PublicIP       bool     // DLQ_REPLAY_ASSIGN_PUBLIC_IP
}

// Replay starts that task.
type Replay struct {
	config ReplayConfig
	client *awsecs.Client
}

// NewReplay returns a Replay. Credentials are found as the AWS SDK finds them, when they are needed.
func NewReplay(ctx context.Context, c ReplayConfig) (*Replay, error) {
	if c.Region == "" {
		return nil, fmt.Errorf("AWS_REGION is not set: DLQ_REPLAY_TASK_DEFINITION_ARN needs it")
	}
	cfg, err := config.LoadDefaultConfig(ctx, config.WithRegion(c.Region))
	if err != nil {
		return nil, fmt.Errorf("read the configuration of AWS: %w", err)
	}
	return &Replay{c, awsecs.NewFromConfig(cfg)}, nil
}

// ReplayFailure is why ECS started no task.
type ReplayFailure struct{ Arn, Reason, Detail string }

// Start starts one Fargate task as its definition has it, without overrides. It returns the ARNs of the tasks that started and why others
// did not; of both there is one or none.
func (r *Replay) Start(ctx context.Context) (tasks []string, failures []ReplayFailure, err error) {
	ctx, cancel := context.WithTimeout(ctx, replayTimeout)
	defer cancel()
	network := types.AwsVpcConfiguration{Subnets: r.config.Subnets, SecurityGroups: r.config.SecurityGroups,
		AssignPublicIp: types.AssignPublicIpDisabled}
	if r.config.PublicIP {
		network.AssignPublicIp = types.AssignPublicIpEnabled
	}
	out, err := r.client.RunTask(ctx, &awsecs.RunTaskInput{
		Cluster: aws.String(r.config.Cluster), TaskDefinition: aws.String(r.config.Definition), Count: aws.Int32(1),
		LaunchType: types.LaunchTypeFargate, NetworkConfiguration: &types.NetworkConfiguration{AwsvpcConfiguration: &network},
		ClientToken: aws.String(rand.Text()), // when an answer is lost, the client's retry starts no second task
		StartedBy:   aws.String("dlq-replay"),
	})
	if err != nil {
		return nil, nil, fmt.Errorf("start the replay of dead-lettered jobs: %w", err)
	}
	for _, t := range out.Tasks {
		tasks = append(tasks, aws.ToString(t.TaskArn))
	}
	for _, f := range out.Failures {
		failures = append(failures, ReplayFailure{aws.ToString(f.Arn), aws.ToString(f.Reason), aws.ToString(f.Detail)})
	}
	return tasks, failures, nil
}
