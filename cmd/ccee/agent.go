// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"os"
	"sync"

	"github.com/ccee-dev/ccee/cloud/agent"

	"github.com/rs/zerolog"
)

// newGuard returns what a worker calls when a job begins, so that ECS does not stop its task to scale in while jobs run; nil outside of
// ECS. The addresses of the agent are variables that ECS sets in each container, so they are no settings.
func newGuard(ctx context.Context, log zerolog.Logger) (hold func() (release func()), stop func(), err error) {
	c, err := agent.New(os.Getenv("ECS_AGENT_URI"), os.Getenv("ECS_CONTAINER_METADATA_URI_V4"))
	if err != nil || c == nil {
		return nil, func() {}, err
	}
	ctx, cancel := context.WithCancel(ctx)
	var running sync.WaitGroup
	running.Go(func() {
		task, err := c.Task(ctx)
		if err != nil {
			log.Warn().Err(err).Msg("this is a task of ECS whose metadata can't be read")
			return
		}
		log.Info().Str("task", task.TaskARN).Str("zone", task.AvailabilityZone).Str("service", task.ServiceName).
			Float64("vcpus", task.Limits.CPU).Int64("memoryMiB", task.Limits.Memory).Msg("this is a task of ECS")
	})
	stop = func() { cancel(); running.Wait() }
	if os.Getenv("ECS_AGENT_URI") == "" {
		return nil, stop, nil
	}
	guard := agent.NewGuard(c, log)
	running.Go(func() { guard.Run(ctx) })
	return guard.Hold, stop, nil
}
