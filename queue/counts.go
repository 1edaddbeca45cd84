// SPDX-License-Identifier: Apache-2.0

package queue

import "context"

// Counts has the numbers of jobs in each state.
type Counts struct {
	Waiting int64 // ready to be claimed
	Stuck   int64 // those of Waiting in a language that no worker can run now
	Active  int64 // under a lease
	Delayed int64 // waiting for the delay of a retry
	Dead    int64 // in the dead-letter list

	Succeeded, Failed, Cancelled, Retried int64 // ever; Retried counts retries, not jobs
}

// Pending is the number of unfinished jobs.
func (c Counts) Pending() int64 { return c.Waiting + c.Active + c.Delayed }

// Counts returns how many jobs there are in each state.
func (q *Queue) Counts(ctx context.Context) (Counts, error) {
	r, err := q.list(ctx, q.steps.counts, 9, "count the jobs")
	if err != nil {
		return Counts{}, err
	}
	return Counts{Waiting: integer(r[0]), Active: integer(r[1]), Delayed: integer(r[2]), Dead: integer(r[3]),
		Succeeded: integer(r[4]), Failed: integer(r[5]), Cancelled: integer(r[6]), Retried: integer(r[7]), Stuck: integer(r[8])}, nil
}
