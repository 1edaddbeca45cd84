// SPDX-License-Identifier: Apache-2.0

package queue

import (
	"context"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/ccee-dev/ccee/job"
)

// DeadLetter is a job without a result after its last attempt, or one that could not be read.
type DeadLetter struct {
	ID, Tenant string
	DiedAt     time.Time
	Attempts   int
	Cause      string // for operators: may name addresses and paths
}

// DeadLetters returns at most limit dead-lettered jobs, newest first. The job itself, with its source, is stored until DeadLetterTTL is
// over.
func (q *Queue) DeadLetters(ctx context.Context, limit int) ([]DeadLetter, error) {
	if limit < 1 {
		return nil, nil
	}
	return q.deadLetters(ctx, func(ctx context.Context, list string) *redis.ZSliceCmd {
		return q.rdb.ZRevRangeWithScores(ctx, list, 0, int64(limit-1))
	})
}

// OldestDeadLetters returns at most limit of the jobs that were dead-lettered until then, oldest first, behind the first skip of them.
func (q *Queue) OldestDeadLetters(ctx context.Context, until time.Time, skip, limit int) ([]DeadLetter, error) {
	if limit < 1 {
		return nil, nil
	}
	part := redis.ZRangeBy{Min: "-inf", Max: strconv.FormatInt(until.UnixMilli(), 10), Offset: int64(skip), Count: int64(limit)}
	return q.deadLetters(ctx, func(ctx context.Context, list string) *redis.ZSliceCmd {
		return q.rdb.ZRangeByScoreWithScores(ctx, list, &part)
	})
}

// deadLetters returns the part of the list that read reads, with what the jobs' hashes have about it.
func (q *Queue) deadLetters(ctx context.Context, read func(ctx context.Context, list string) *redis.ZSliceCmd) ([]DeadLetter, error) {
	const what = "read the dead-letter list"
	ctx, cancel := context.WithTimeout(ctx, opTimeout)
	defer cancel()
	es, err := read(ctx, q.keys.of("DEAD")).Result()
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

// Replay queues a dead-lettered job again, with maxAttempts new attempts, and reports whether it did: not if the job has left the list or
// is not stored any more.
func (q *Queue) Replay(ctx context.Context, d DeadLetter, maxAttempts int) (bool, error) {
	if maxAttempts < 1 {
		return false, job.Invalid("maxAttempts", "is %d, it must be at least 1", maxAttempts)
	}
	s, err := q.word(ctx, q.steps.replay, "replay job "+d.ID, d.ID, d.Tenant, maxAttempts)
	return s == "recovered", err
}

// Now returns the time by Redis's clock, by which dead letters are dated.
func (q *Queue) Now(ctx context.Context) (time.Time, error) {
	ctx, cancel := context.WithTimeout(ctx, opTimeout)
	defer cancel()
	t, err := q.rdb.Time(ctx).Result()
	return t.UTC(), q.explain("read the clock", err)
}

// Drop removes a job from the dead-letter list, and reports whether it was there. The job itself stays until it expires.
func (q *Queue) Drop(ctx context.Context, d DeadLetter) (bool, error) {
	ctx, cancel := context.WithTimeout(ctx, opTimeout)
	defer cancel()
	n, err := q.rdb.ZRem(ctx, q.keys.of("DEAD"), d.ID+" "+d.Tenant).Result()
	return n == 1, q.explain("drop job "+d.ID, err)
}
