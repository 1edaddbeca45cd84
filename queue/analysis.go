package queue

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/redis/go-redis/v9"
)

// Verbal is what was said of a job.
type Verbal struct {
	Analysis       json.RawMessage // an object; nil: nothing was said
	Provider       string          // heuristic or openai
	FallbackReason string          // why it was not the provider that was wanted; "" if it was
	UpdatedAt      time.Time
}

// SetAnalysis stores what was said of a tenant's job and notes it in the audit with metadata. ErrNotFound as in Get.
func (q *Queue) SetAnalysis(ctx context.Context, tenant, id string, v Verbal, metadata any) error {
	b, err := json.Marshal(metadata)
	if err != nil {
		return err
	}
	s, err := q.word(ctx, q.steps.analyze, "store the analysis of job "+id, id, tenant, []byte(v.Analysis), v.Provider, v.FallbackReason, b)
	if err == nil && s == "" {
		err = ErrNotFound
	}
	return err
}

// Spend takes one of a tenant's calls of a language model on this day, of which there are limit, and reports whether there was one.
func (q *Queue) Spend(ctx context.Context, tenant string, limit int) (bool, error) {
	v, err := q.run(ctx, q.steps.spend, "count a model's call of tenant "+tenant, tenant, limit)
	return integer(v) == 1, err
}

// Said returns what a model said to a tenant for a prompt of that digest before, nil if nothing.
func (q *Queue) Said(ctx context.Context, tenant, digest string) (json.RawMessage, error) {
	ctx, cancel := context.WithTimeout(ctx, opTimeout)
	defer cancel()
	b, err := q.rdb.Get(ctx, q.keys.modelAnswer(tenant, digest)).Bytes()
	if errors.Is(err, redis.Nil) {
		return nil, nil
	}
	return b, q.explain("read what a model said", err)
}

// KeepSaid keeps what a model said for Said, for a day.
func (q *Queue) KeepSaid(ctx context.Context, tenant, digest string, answer json.RawMessage) error {
	ctx, cancel := context.WithTimeout(ctx, opTimeout)
	defer cancel()
	return q.explain("keep what a model said", q.rdb.Set(ctx, q.keys.modelAnswer(tenant, digest), []byte(answer), 24*time.Hour).Err())
}
