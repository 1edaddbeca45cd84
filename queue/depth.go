// SPDX-License-Identifier: Apache-2.0

package queue

import (
	"context"
	"time"
)

// Depth is how long the queue is at one moment, for autoscaling.
type Depth struct {
	At      time.Time // by Redis's clock
	Pending int64     // unfinished jobs, those that run included
	Waiting int64     // those of Pending that a worker could take now
	Stuck   int64     // those of Waiting in a language that no worker offers
	Workers int64     // that are alive
	Ready   int64     // those of Workers that can run jobs
}

// DepthRound is one caller's turn to publish the Depth, or the time until the next turn.
type DepthRound struct {
	Mine  bool          // the caller publishes Depth; nobody else does in this round
	Depth Depth         // if Mine
	Next  time.Duration // until the next round, if no job is submitted to an idle queue before
	Idle  bool          // the last published depth was 0: the first submission begins a round
}

// TakeDepth takes the right to publish how long the queue is, for one round. Rounds are every apart, by Redis's clock, whoever asks how
// often. After a round in which nothing was pending the next one begins with the first job, but not before least is over.
func (q *Queue) TakeDepth(ctx context.Context, every, least time.Duration) (DepthRound, error) {
	r, err := q.list(ctx, q.steps.takeDepth, 3, "take a round of publishing the depth", every.Milliseconds(), least.Milliseconds())
	if err != nil {
		return DepthRound{}, err
	}
	next := time.Duration(integer(r[1])) * time.Millisecond
	round := DepthRound{Mine: integer(r[0]) == 1 && len(r) >= 8, Next: next, Idle: integer(r[2]) == 0}
	if round.Mine {
		round.Depth = Depth{At: time.UnixMilli(integer(r[7])).UTC(), Pending: integer(r[2]), Waiting: integer(r[3]), Stuck: integer(r[4]),
			Workers: integer(r[5]), Ready: integer(r[6])}
	}
	return round, nil
}
