// SPDX-License-Identifier: Apache-2.0

package queue

import (
	"context"
	"time"
)

// tallyBucket is the interval over which jobs are counted together, and tallyTTL how long such a count is kept.
const (
	tallyBucket = 5 * time.Second
	tallyTTL    = 2 * time.Hour
)

// Activity counts the jobs of a recent interval.
type Activity struct {
	Submitted, Succeeded, Failed int64
	Runtime                      time.Duration // of Succeeded and Failed together
	Workers                      int64         // that are alive now
	Ready                        int64         // those of Workers that can run jobs
}

// Activity sums up the last window, at most two hours, to within five seconds.
func (q *Queue) Activity(ctx context.Context, window time.Duration) (Activity, error) {
	r, err := q.list(ctx, q.steps.activity, 6, "sum up the activity", seconds(window))
	if err != nil {
		return Activity{}, err
	}
	return Activity{Submitted: integer(r[0]), Succeeded: integer(r[1]), Failed: integer(r[2]),
		Runtime: time.Duration(integer(r[3])) * time.Millisecond, Workers: integer(r[4]), Ready: integer(r[5])}, nil
}
