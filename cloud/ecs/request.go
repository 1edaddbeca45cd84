// SPDX-License-Identifier: Apache-2.0

package ecs

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

// Launch is a task to be started.
type Launch struct {
	Job    string // the id of its job
	Number int64  // of the job's offer: no two launches of a job share one
	Tier   Tier
	Env    map[string]string // for the container; it is in the answers of DescribeTasks, so it has no lasting secret
	// OnDemand leaves Spot out.
	OnDemand bool
}

// Purchase is how a task's capacity is paid for, in the contract's words.
type Purchase string

// The purchase options.
const (
	Spot     Purchase = "spot"
	OnDemand Purchase = "on-demand"
)

// Bounds of RunTask (the API reference).
const (
	maxClientToken = 64
	maxStartedBy   = 128
)

// clientToken makes RunTask start one task for a launch and a purchase option, however often it is asked.
func clientToken(l Launch, p Purchase) string {
	token := fmt.Sprintf("%s-%d-%s", l.Job, l.Number, p)
	if len(token) > maxClientToken {
		sum := sha256.Sum256([]byte(token))
		return hex.EncodeToString(sum[:]) // 64 characters
	}
	return token
}

// StartedBy names a job in the form that startedBy may have, which is less than ids may have: an id with other characters, or a long one,
// becomes a digest.
func StartedBy(job string) string {
	other := strings.ContainsFunc(job, func(r rune) bool {
		return !(r >= 'A' && r <= 'Z' || r >= 'a' && r <= 'z' || r >= '0' && r <= '9' || r == '-' || r == '_')
	})
	if name := startedByPrefix + job; !other && len(name) <= maxStartedBy {
		return name
	}
	sum := sha256.Sum256([]byte(job))
	return startedByPrefix + "sha256/" + hex.EncodeToString(sum[:])
}

// startedByPrefix begins the startedBy of every task of ours, so that the reaper leaves all others alone. The contract has "job-<jobId>".
const startedByPrefix = "job-"

// request returns the input of RunTask for a launch.
func (c Config) request(l Launch, p Purchase) *ecs.RunTaskInput {
	in := &ecs.RunTaskInput{
		Cluster: &c.Cluster, TaskDefinition: new(c.Definitions[l.Tier]), Count: new(int32(1)),
		ClientToken: new(clientToken(l, p)), StartedBy: new(StartedBy(l.Job)),
		NetworkConfiguration: &types.NetworkConfiguration{AwsvpcConfiguration: &types.AwsVpcConfiguration{
			Subnets: c.Subnets, SecurityGroups: c.SecurityGroups, AssignPublicIp: types.AssignPublicIpDisabled,
		}},
		Overrides: &types.TaskOverride{ContainerOverrides: []types.ContainerOverride{{Name: &c.Container,
			Environment: environment(l.Env)}}},
	}
	if c.PublicIP {
		in.NetworkConfiguration.AwsvpcConfiguration.AssignPublicIp = types.AssignPublicIpEnabled
	}
	// Spot needs a strategy, with which there must be no launch type.
	provider := "FARGATE"
	if p == Spot {
		provider = "FARGATE_SPOT"
	}
	in.CapacityProviderStrategy = []types.CapacityProviderStrategyItem{{CapacityProvider: &provider, Weight: 1}}
	return in
}

// environment lists variables in the order of their names: the same launch must be the same request.
func environment(env map[string]string) []types.KeyValuePair {
	var list []types.KeyValuePair
	for _, name := range sortedKeys(env) {
		list = append(list, types.KeyValuePair{Name: new(name), Value: new(env[name])})
	}
	return list
}
