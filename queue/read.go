// SPDX-License-Identifier: Apache-2.0

package queue

import (
	"context"
	"errors"
	"slices"

	"github.com/redis/go-redis/v9"
)

// ErrNotFound means that there is no such job, or that it is another tenant's: callers must not be able to distinguish the two.
var ErrNotFound = errors.New("no such job")

// singleFields are the fields that Get reads.
var singleFields = append(slices.Clone(recordFields), "outputFiles")

// Get returns a tenant's job, or ErrNotFound.
func (q *Queue) Get(ctx context.Context, tenant, id string) (Record, error) {
	rs, err := q.read(ctx, []string{id}, singleFields)
	if err != nil {
		return Record{}, q.explain("read job "+id, err)
	}
	if len(rs) == 0 || rs[0].Tenant != tenant {
		return Record{}, ErrNotFound
	}
	return rs[0], nil
}

// read returns those of the jobs that exist, in the order of ids, in one round trip.
func (q *Queue) read(ctx context.Context, ids, fields []string) ([]Record, error) {
	if len(ids) == 0 {
		return nil, nil
	}
	ctx, cancel := context.WithTimeout(ctx, opTimeout)
	defer cancel()
	cmds := make([]redis.Cmder, len(ids))
	for i, id := range ids {
		cmds[i] = q.readCommand(ctx, id, fields)
	}
	if err := q.batch.do(ctx, cmds...); err != nil {
		return nil, err
	}
	rs := make([]Record, 0, len(ids))
	for _, cmd := range cmds {
		r, there, err := readRecord(cmd.(*redis.SliceCmd), fields)
		if err != nil {
			return nil, err
		}
		if there {
			rs = append(rs, r)
		}
	}
	return rs, nil
}

func (q *Queue) readCommand(ctx context.Context, id string, fields []string) *redis.SliceCmd {
	args := make([]any, 0, 2+len(fields))
	args = append(args, "hmget", q.keys.job(id))
	for _, f := range fields {
		args = append(args, f)
	}
	return redis.NewSliceCmd(ctx, args...)
}

// readRecord reads the answer to readCommand; there reports whether the job exists.
func readRecord(cmd *redis.SliceCmd, fields []string) (r Record, there bool, err error) {
	if err := cmd.Err(); err != nil {
		return r, false, err
	}
	h := make(hash, len(fields))
	for i, v := range cmd.Val() {
		h[fields[i]] = text(v)
	}
	if h["status"] == "" {
		return r, false, nil
	}
	return h.record(), true, nil
}

// Wait returns a tenant's job, as Look does, once its state is final. If ctx ends first, it returns the job as it was last read and ctx's
// error. It is notified by pub/sub and does not poll.
func (q *Queue) Wait(ctx context.Context, tenant, id string) (Record, error) {
	woken, stop := q.finished.watch(id)
	defer stop()
	for {
		// Read after the watch has begun: a job that ends in between is noticed by the read.
		r, err := q.Look(ctx, tenant, id)
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

// Cancel cancels a tenant's job and returns its new state: Cancelled if it waited; Running if it runs (its worker is notified, and Wait
// returns how it ends, which may still be by itself); or the final state that it already had. ErrNotFound as in Get.
func (q *Queue) Cancel(ctx context.Context, tenant, id string) (State, error) {
	s, err := q.word(ctx, q.steps.cancel, "cancel job "+id, id, tenant)
	if err == nil && s == "" {
		err = ErrNotFound
	}
	return State(s), err
}

// ErrUnfinished means that a job waits or runs, and so can't be deleted.
var ErrUnfinished = errors.New("the job is not finished")

// Purge deletes everything that is stored of a tenant's finished job: request, source, input and result. Its cost and its audit stay. The
// error is ErrNotFound, ErrUnfinished, or Redis is unreachable.
func (q *Queue) Purge(ctx context.Context, tenant, id string) error {
	s, err := q.word(ctx, q.steps.purge, "delete job "+id, id, tenant)
	switch {
	case err != nil:
		return err
	case s == "":
		return ErrNotFound
	case s != "deleted":
		return ErrUnfinished
	}
	return nil
}

// submittedFields are the fields that Submitted reads.
var submittedFields = []string{"tenantId", "spec", "sourceCode", "stdin", "traceId", "timeoutMs", "memoryMb", "cpuMillicores", "maxAttempts", "createdAt", "startedAt",
	"priority", "webhookUrl", "webhookSecret"}

// Submitted returns a tenant's submission, to be submitted again: Spec, Request, Priority, MaxAttempts and Webhook. The error is
// ErrNotFound, or Redis is unreachable.
func (q *Queue) Submitted(ctx context.Context, tenant, id string) (Submission, error) {
	what := "read job " + id
	ctx, cancel := context.WithTimeout(ctx, opTimeout)
	defer cancel()
	values, err := q.rdb.HMGet(ctx, q.keys.job(id), submittedFields...).Result() // without the result, which may be large
	if err != nil {
		return Submission{}, q.explain(what, err)
	}
	h := make(hash, len(submittedFields))
	for i, v := range values {
		h[submittedFields[i]] = text(v)
	}
	if h["tenantId"] != tenant || h["spec"] == "" {
		return Submission{}, ErrNotFound
	}
	s, err := h.submission(id, tenant)
	return s, q.explain(what, err)
}

// Source returns the source code of a tenant's job. ErrNotFound as in Get.
func (q *Queue) Source(ctx context.Context, tenant, id string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, opTimeout)
	defer cancel()
	f, err := q.rdb.HMGet(ctx, q.keys.job(id), "tenantId", "sourceCode").Result()
	if err != nil {
		return "", q.explain("read the source of job "+id, err)
	}
	if tenant == "" || text(f[0]) != tenant {
		return "", ErrNotFound
	}
	return text(f[1]), nil
}
