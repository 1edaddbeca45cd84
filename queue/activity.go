package queue

import (
	"context"
	"time"
)

// tallyBucket is the length of the time for which jobs are counted together, and tallyTTL how long such counts are kept.
const (
	tallyBucket = 5 * time.Second
	tallyTTL    = 2 * time.Hour
)

// Activity is what happened lately.
type Activity struct {
	Submitted, Succeeded, Failed int64
	Runtime                      time.Duration // of the last two together
	Workers                      int64         // that are alive
	Ready                        int64         // those of Workers that can run jobs
}

// Activity sums up the last time of that length, at most two hours, to within five seconds.
func (q *Queue) Activity(ctx context.Context, window time.Duration) (Activity, error) {
	r, err := q.list(ctx, q.steps.activity, 6, "sum up what happened", seconds(window))
	if err != nil {
		return Activity{}, err
	}
	return Activity{Submitted: integer(r[0]), Succeeded: integer(r[1]), Failed: integer(r[2]),
		Runtime: time.Duration(integer(r[3])) * time.Millisecond, Workers: integer(r[4]), Ready: integer(r[5])}, nil
}
