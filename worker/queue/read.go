package queue

import (
	"context"
	"errors"
	"slices"

	"github.com/redis/go-redis/v9"
)

// ErrNotFound means that there is no such job, or that it is another tenant's: the two can't be told apart.
var ErrNotFound = errors.New("no such job")

// Get returns a tenant's job, or ErrNotFound.
func (q *Queue) Get(ctx context.Context, tenant, id string) (Record, error) {
	rs, err := q.read(ctx, []string{id}, append(slices.Clip(recordFields), "outputFiles"))
	if err != nil {
		return Record{}, q.explain("read job "+id, err)
	}
	if len(rs) == 0 || rs[0].Tenant != tenant {
		return Record{}, ErrNotFound
	}
	return rs[0], nil
}

// List returns a tenant's latest jobs, newest first, at most limit, without their output files. Jobs that have expired are left out.
func (q *Queue) List(ctx context.Context, tenant string, limit int) ([]Record, error) {
	if limit < 1 {
		return nil, nil
	}
	what := "read the history of tenant " + tenant
	rctx, cancel := context.WithTimeout(ctx, opTimeout)
	defer cancel()
	//lint:ignore SA1019 its successor, ZRANGE with REV, needs Redis 6.2; Debian 11 has 6.0
	ids, err := q.rdb.ZRevRange(rctx, q.keys.history(tenant), 0, int64(limit-1)).Result()
	if err != nil {
		return nil, q.explain(what, err)
	}
	rs, err := q.read(ctx, ids, recordFields)
	return rs, q.explain(what, err)
}

// read returns the jobs of those ids that exist, in that order and in one round trip.
func (q *Queue) read(ctx context.Context, ids, fields []string) ([]Record, error) {
	if len(ids) == 0 {
		return nil, nil
	}
	ctx, cancel := context.WithTimeout(ctx, opTimeout)
	defer cancel()
	cmds := make([]*redis.SliceCmd, len(ids))
	_, err := q.rdb.Pipelined(ctx, func(p redis.Pipeliner) error {
		for i, id := range ids {
			cmds[i] = p.HMGet(ctx, q.keys.job(id), fields...)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	rs := make([]Record, 0, len(ids))
	for _, cmd := range cmds {
		h := make(hash, len(fields))
		for i, v := range cmd.Val() {
			h[fields[i]] = text(v)
		}
		if h["status"] != "" {
			rs = append(rs, h.record())
		}
	}
	return rs, nil
}

// Wait returns a tenant's job once its state is final. When ctx ends before, it returns the job as it was last seen and ctx's
// error. It is told of the end by pub/sub and does not poll.
func (q *Queue) Wait(ctx context.Context, tenant, id string) (Record, error) {
	woken, stop := q.finished.watch(id)
	defer stop()
	for {
		// Read after watching: what ends between the two is seen by the read.
		r, err := q.Get(ctx, tenant, id)
		if err != nil || r.Status.Final() {
			return r, err
		}
		select {
		case <-woken:
		case <-q.finished.closed():
			return r, q.explain("wait for job "+id, errClosed)
		case <-ctx.Done():
			return r, ctx.Err()
		}
	}
}

// Cancel takes a tenant's job back and returns its state after that: Cancelled if it waited; Running if it runs, then its worker
// has been told and Wait tells what it comes to (it may still end by itself); or the final state that it had already.
// ErrNotFound as in Get.
func (q *Queue) Cancel(ctx context.Context, tenant, id string) (State, error) {
	s, err := q.word(ctx, q.steps.cancel, "cancel job "+id, id, tenant)
	if err == nil && s == "" {
		err = ErrNotFound
	}
	return State(s), err
}
