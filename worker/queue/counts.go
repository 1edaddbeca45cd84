package queue

import (
	"context"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
)

// Counts are numbers of jobs.
type Counts struct {
	Waiting int64 // ready to be claimed
	Active  int64 // under a lease
	Delayed int64 // waiting for a retry to be due
	Dead    int64 // in the dead-letter list

	Succeeded, Failed, Cancelled, Retried int64 // since ever; Retried counts retries, not jobs
}

// Pending is the number of unfinished jobs.
func (c Counts) Pending() int64 { return c.Waiting + c.Active + c.Delayed }

// Counts returns how many jobs there are in each state.
func (q *Queue) Counts(ctx context.Context) (Counts, error) {
	r, err := q.list(ctx, q.steps.counts, 8, "count the jobs")
	if err != nil {
		return Counts{}, err
	}
	return Counts{Waiting: integer(r[0]), Active: integer(r[1]), Delayed: integer(r[2]), Dead: integer(r[3]),
		Succeeded: integer(r[4]), Failed: integer(r[5]), Cancelled: integer(r[6]), Retried: integer(r[7])}, nil
}

// DeadLetter is a job that had no result after its last attempt, or that could not be read.
type DeadLetter struct {
	ID, Tenant string
	DiedAt     time.Time
	Attempts   int
	Cause      string // for operators: may name addresses and paths
}

// DeadLetters returns the latest dead-lettered jobs, newest first, at most limit. The job itself, source included, is in its
// hash until DeadLetterTTL is over.
func (q *Queue) DeadLetters(ctx context.Context, limit int) ([]DeadLetter, error) {
	const what = "read the dead-letter list"
	if limit < 1 {
		return nil, nil
	}
	ctx, cancel := context.WithTimeout(ctx, opTimeout)
	defer cancel()
	es, err := q.rdb.ZRevRangeWithScores(ctx, q.keys.deadLetters(), 0, int64(limit-1)).Result()
	if err != nil || len(es) == 0 {
		return nil, q.explain(what, err)
	}
	out, cmds := make([]DeadLetter, len(es)), make([]*redis.SliceCmd, len(es))
	_, err = q.rdb.Pipelined(ctx, func(p redis.Pipeliner) error {
		for i, e := range es {
			out[i].ID, out[i].Tenant, _ = strings.Cut(text(e.Member), " ")
			out[i].DiedAt = time.UnixMilli(int64(e.Score)).UTC()
			cmds[i] = p.HMGet(ctx, q.keys.job(out[i].ID), "attemptsMade", "cause")
		}
		return nil
	})
	if err != nil {
		return nil, q.explain(what, err)
	}
	for i, cmd := range cmds {
		h := hash{"attemptsMade": text(cmd.Val()[0]), "cause": text(cmd.Val()[1])}
		out[i].Attempts, out[i].Cause = int(h.integer("attemptsMade")), h["cause"]
	}
	return out, nil
}
