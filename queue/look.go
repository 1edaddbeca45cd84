// SPDX-License-Identifier: Apache-2.0

package queue

import (
	"context"

	"github.com/redis/go-redis/v9"
)

// SmallOutput is the largest size of a job's result and output files together, in bytes, with which Look returns them.
const SmallOutput = 64 << 10

// looking holds the commands of one look.
type looking struct {
	fields *redis.SliceCmd
	output *redis.Cmd
}

func (q *Queue) look(ctx context.Context, id string) looking {
	return looking{q.readCommand(ctx, id, summaryFields), stepCommand(ctx, q.steps.output, []any{id, SmallOutput})}
}

// looked reads the answers of a look.
func (q *Queue) looked(ctx context.Context, id string, l looking) (r Record, there bool, err error) {
	v, err := l.output.Result()
	if redis.HasErrorPrefix(err, "NOSCRIPT") { // Redis was restarted
		v, err = q.steps.output.Eval(ctx, q.rdb, nil, id, SmallOutput).Result()
	}
	if err != nil {
		return r, false, err
	}
	values, err := l.fields.Result()
	if err != nil {
		return r, false, err
	}
	h := make(hash, len(summaryFields)+2)
	for i, v := range values {
		h[summaryFields[i]] = text(v)
	}
	if h["status"] == "" {
		return r, false, nil
	}
	output, _ := v.([]any)
	if len(output) == 3 {
		h["result"], h["outputFiles"] = text(output[1]), text(output[2])
	}
	r = h.record()
	if len(output) == 1 {
		r.Large = integer(output[0])
	}
	return r, true, nil
}

// Look is Get without large output: if the result and the output files are larger than SmallOutput, the Record has the result's summary
// and their size in Large, so that the caller can reserve memory for them before it calls Get.
func (q *Queue) Look(ctx context.Context, tenant, id string) (Record, error) {
	rs, err := q.Looks(ctx, []string{id})
	if err != nil {
		return Record{}, q.explain("read job "+id, err)
	}
	if len(rs) == 0 || rs[0].Tenant != tenant {
		return Record{}, ErrNotFound
	}
	return rs[0], nil
}

// Looks is Look of several jobs of any tenants in one round trip. It leaves out those that don't exist.
func (q *Queue) Looks(ctx context.Context, ids []string) ([]Record, error) {
	ctx, cancel := context.WithTimeout(ctx, opTimeout)
	defer cancel()
	looks, cmds := make([]looking, len(ids)), make([]redis.Cmder, 0, 2*len(ids))
	for i, id := range ids {
		looks[i] = q.look(ctx, id)
		cmds = append(cmds, looks[i].fields, looks[i].output)
	}
	if err := q.batch.do(ctx, cmds...); err != nil {
		return nil, err
	}
	rs := make([]Record, 0, len(ids))
	for i, l := range looks {
		r, there, err := q.looked(ctx, ids[i], l)
		if err != nil {
			return nil, err
		}
		if there {
			rs = append(rs, r)
		}
	}
	return rs, nil
}
