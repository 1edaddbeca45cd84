// SPDX-License-Identifier: Apache-2.0

// Package supervise runs all parts of ccee on one machine, for ccee up: redis-server, daemon, worker and api, each as a child process.
//
// New checks and claims what the parts need (the data directory, redis-server); Run starts them in that order, each when the one before is
// ready, restarts a part that dies, and stops them in reverse:
//
//	stack.go    the order of starting and stopping
//	keeper.go   one part: restarts, pauses, when to give up
//	parts.go    the command line, environment, user and place of each part
//	redis.go    the redis-server of this stack and its data directory; redislog.go: its log
//	starter.go  starts processes that die with ccee
//
// The package knows the command lines of ccee's own subcommands, but reads neither flags nor the environment: Options has what is in them.
package supervise
