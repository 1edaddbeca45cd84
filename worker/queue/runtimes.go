package queue

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"ccee/api/job"
)

// PublishRuntimes records which languages a worker offers. The record holds for ttl, so a worker repeats it well within;
// ttl 0 withdraws it.
func (q *Queue) PublishRuntimes(ctx context.Context, worker string, langs []job.Language, ttl time.Duration) error {
	b, err := json.Marshal(langs)
	if err != nil {
		return fmt.Errorf("encode the languages of worker %s: %w", worker, err)
	}
	_, err = q.run(ctx, q.steps.publishRuntimes, "publish the languages of worker "+worker, worker, b, ttl.Milliseconds())
	return err
}

// Runtimes returns the languages that live workers offer, by name. Where two workers differ, the one counts that spoke last.
func (q *Queue) Runtimes(ctx context.Context) ([]job.Language, error) {
	const what = "read the languages"
	r, err := q.list(ctx, q.steps.runtimes, 0, what)
	if err != nil {
		return nil, err
	}
	byName := map[string]job.Language{}
	for _, v := range r {
		var langs []job.Language
		if err := json.Unmarshal([]byte(text(v)), &langs); err != nil {
			return nil, q.explain(what, err)
		}
		for _, l := range langs {
			byName[l.Name] = l
		}
	}
	out := make([]job.Language, 0, len(byName))
	for _, l := range byName {
		out = append(out, l)
	}
	slices.SortFunc(out, func(a, b job.Language) int { return cmp.Compare(a.Name, b.Name) })
	return out, nil
}
