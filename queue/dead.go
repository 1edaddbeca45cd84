// SPDX-License-Identifier: Apache-2.0

package queue

import (
	"context"
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
	const what = "read the dead-letter list"
	if limit < 1 {
		return nil, nil
	}
	ctx, cancel := context.WithTimeout(ctx, opTimeout)
	defer cancel()
	es, err := q.rdb.ZRevRangeWithScores(ctx, q.keys.of("DEAD"), 0, int64(limit-1)).Result()
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

// Drop removes a job from the dead-letter list, and reports whether it was there. The job itself stays until it expires.
func (q *Queue) Drop(ctx context.Context, d DeadLetter) (bool, error) {
	ctx, cancel := context.WithTimeout(ctx, opTimeout)
	defer cancel()
	n, err := q.rdb.ZRem(ctx, q.keys.of("DEAD"), d.ID+" "+d.Tenant).Result()
	return n == 1, q.explain("drop job "+d.ID, err)
}
