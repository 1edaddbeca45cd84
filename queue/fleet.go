package queue

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/ccee-dev/ccee/job"
)

// Fleet says who is alive and what can be run now, and, apart from that, what can be submitted: a job in a language that nobody runs now
// waits for a worker.
type Fleet struct {
	Workers int            // that are alive
	Ready   int            // those of Workers that can run jobs
	Now     []job.Language // that they can run, by name
	Known   []job.Language // that can be submitted, by name: what workers have offered within 30 days, those of Now too
	Stuck   []string       // languages in which jobs wait that nobody can run now
}

// PublishRuntimes records which languages a worker can run now; none: it is alive, and that is all. The record holds for ttl, so a worker
// repeats it well within; ttl 0 withdraws it. What was offered once stays known.
func (q *Queue) PublishRuntimes(ctx context.Context, worker string, langs []job.Language, ttl time.Duration) error {
	profiles := make([]json.RawMessage, len(langs))
	args := []any{worker, nil, ttl.Milliseconds()}
	for i, l := range langs {
		b, err := json.Marshal(l)
		if err != nil {
			return fmt.Errorf("encode the language %s of worker %s: %w", l.Name, worker, err)
		}
		profiles[i], args = b, append(args, l.Name, b)
	}
	all, err := json.Marshal(profiles)
	if err != nil {
		return fmt.Errorf("encode the languages of worker %s: %w", worker, err)
	}
	args[1] = all
	_, err = q.run(ctx, q.steps.publishRuntimes, "publish the languages of worker "+worker, args...)
	return err
}

// Fleet looks at the workers. Where two differ in a language, the one counts that spoke last.
func (q *Queue) Fleet(ctx context.Context) (Fleet, error) {
	const what = "read the languages"
	r, err := q.list(ctx, q.steps.fleet, 3, what)
	if err != nil {
		return Fleet{}, err
	}
	live, _ := r[0].([]any)
	known, _ := r[1].([]any)
	stuck, _ := r[2].([]any)
	f, now, all := Fleet{Workers: len(live)}, map[string]job.Language{}, map[string]job.Language{}
	for _, v := range live {
		var langs []job.Language
		if err := json.Unmarshal([]byte(text(v)), &langs); err != nil {
			return Fleet{}, q.explain(what, err)
		}
		if len(langs) > 0 {
			f.Ready++
		}
		for _, l := range langs {
			now[l.Name] = l
		}
	}
	for _, v := range known {
		var l job.Language
		if err := json.Unmarshal([]byte(text(v)), &l); err != nil {
			return Fleet{}, q.explain(what, err)
		}
		all[l.Name] = l
	}
	maps.Copy(all, now)
	f.Now, f.Known = byName(now), byName(all)
	for _, v := range stuck {
		f.Stuck = append(f.Stuck, text(v))
	}
	slices.Sort(f.Stuck)
	return f, nil
}

func byName(langs map[string]job.Language) []job.Language {
	return slices.SortedFunc(maps.Values(langs), func(a, b job.Language) int { return cmp.Compare(a.Name, b.Name) })
}

// Forget makes a language unknown until a worker offers it again, and reports whether it was known.
func (q *Queue) ForgetLanguage(ctx context.Context, language string) (bool, error) {
	v, err := q.run(ctx, q.steps.forget, "forget the language "+language, language)
	return integer(v) == 1, err
}

// Sweep does what must be done although there may be no worker: it puts back jobs of workers that died, and fails those that have waited
// for longer than MaxWait in a language that nobody has offered for as long. It returns how many it failed; when there are any, there may be
// more. Anybody may call it, at any time: it is one step like all others.
func (q *Queue) Sweep(ctx context.Context) (failed int64, err error) {
	v, err := q.run(ctx, q.steps.sweep, "end jobs that nobody can run")
	return integer(v), err
}
