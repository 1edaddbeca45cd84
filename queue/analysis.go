// SPDX-License-Identifier: Apache-2.0

package queue

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/redis/go-redis/v9"
)

// answerTTL is how long a model's answer is cached.
const answerTTL = 24 * time.Hour

// Analysis is an explanation of how a job ended.
type Analysis struct {
	Report         json.RawMessage // an object; nil: the job was not analyzed
	Provider       string          // heuristic or openai
	FallbackReason string          // why another provider answered than the one that is configured; "" if it did
	UpdatedAt      time.Time
}

// SetAnalysis stores the analysis of a tenant's job and notes it in the audit with metadata. ErrNotFound as in Get.
func (q *Queue) SetAnalysis(ctx context.Context, tenant, id string, a Analysis, metadata any) error {
	b, err := json.Marshal(metadata)
	if err != nil {
		return err
	}
	s, err := q.word(ctx, q.steps.analyze, "store the analysis of job "+id, id, tenant, []byte(a.Report), a.Provider, a.FallbackReason, b)
	if err == nil && s == "" {
		err = ErrNotFound
	}
	return err
}

// SpendModelCall takes one of the tenant's limit calls of a language model on this UTC day, and reports whether one was left.
func (q *Queue) SpendModelCall(ctx context.Context, tenant string, limit int) (bool, error) {
	v, err := q.run(ctx, q.steps.spendModelCall, "count a model call of tenant "+tenant, tenant, limit)
	return integer(v) == 1, err
}

// CachedAnswer returns a model's earlier answer to the tenant's prompt of that digest; nil if there is none.
func (q *Queue) CachedAnswer(ctx context.Context, tenant, digest string) (json.RawMessage, error) {
	ctx, cancel := context.WithTimeout(ctx, opTimeout)
	defer cancel()
	b, err := q.rdb.Get(ctx, q.keys.modelAnswer(tenant, digest)).Bytes()
	if errors.Is(err, redis.Nil) {
		return nil, nil
	}
	return b, q.explain("read a cached answer", err)
}

// CacheAnswer stores a model's answer for CachedAnswer, for a day.
func (q *Queue) CacheAnswer(ctx context.Context, tenant, digest string, answer json.RawMessage) error {
	ctx, cancel := context.WithTimeout(ctx, opTimeout)
	defer cancel()
	return q.explain("cache an answer", q.rdb.Set(ctx, q.keys.modelAnswer(tenant, digest), []byte(answer), answerTTL).Err())
}
