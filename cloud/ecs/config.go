// SPDX-License-Identifier: Apache-2.0

package ecs

import (
	"fmt"
	"time"
)

// Config says where and how tasks run. Names of settings are in the comments.
type Config struct {
	Cluster        string          // ECS_CLUSTER_ARN
	Definitions    map[Tier]string // ECS_TASK_DEFINITION_ARN_SMALL ...: the task definition of each tier
	Container      string          // ECS_RUNNER_CONTAINER_NAME: that gets the job's token
	Subnets        []string        // ECS_SUBNET_IDS
	SecurityGroups []string        // ECS_SECURITY_GROUP_IDS
	PublicIP       bool            // ECS_ASSIGN_PUBLIC_IP

	Spot     bool // ECS_RUNNER_SPOT_ENABLED: prefer FARGATE_SPOT
	Fallback bool // ECS_RUNNER_ONDEMAND_FALLBACK_ENABLED: use FARGATE when Spot has no capacity

	SpotDeadline   time.Duration // ECS_SPOT_LAUNCH_SECONDS: for a Spot task to run
	LaunchDeadline time.Duration // ECS_LAUNCH_SECONDS: for an on-demand task to run, the pauses after refusals included
}

// Bounds of AWS.
const (
	maxSubnets        = 16 // AwsVpcConfiguration
	maxSecurityGroups = 5
)

// Check reports the first setting that is missing or out of its range.
func (c Config) Check() error {
	switch {
	case c.Cluster == "":
		return fmt.Errorf("ECS_CLUSTER_ARN is not set")
	case len(c.Subnets) == 0 || len(c.Subnets) > maxSubnets:
		return fmt.Errorf("ECS_SUBNET_IDS has %d entries, it must have 1 to %d", len(c.Subnets), maxSubnets)
	case len(c.SecurityGroups) == 0 || len(c.SecurityGroups) > maxSecurityGroups:
		return fmt.Errorf("ECS_SECURITY_GROUP_IDS has %d entries, it must have 1 to %d", len(c.SecurityGroups), maxSecurityGroups)
	case c.Container == "":
		return fmt.Errorf("ECS_RUNNER_CONTAINER_NAME is empty")
	case c.SpotDeadline <= 0 || c.LaunchDeadline <= 0:
		return fmt.Errorf("the deadlines of a launch are %v and %v, they must be positive", c.SpotDeadline, c.LaunchDeadline)
	}
	for _, t := range tiers {
		if c.Definitions[t.name] == "" {
			return fmt.Errorf("neither ECS_TASK_DEFINITION_ARN_%s nor ECS_TASK_DEFINITION_ARN is set", t.setting)
		}
	}
	return nil
}
