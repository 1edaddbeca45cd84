// SPDX-License-Identifier: Apache-2.0

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

// Fleet describes the workers that are alive and what they can run now, and, independently of that, what can be submitted: a job in a
// language that no worker runs now waits for one.
type Fleet struct {
	Workers  int                 // that are alive
	Ready    int                 // those of Workers that can run jobs
	Warnings map[string][]string // of the backends of live workers, by worker; for operators
	Now      []job.Language      // that the workers can run, by name
	Known    []job.Language      // that can be submitted, by name: those that workers have offered within 30 days, with those of Now
	Stuck    []string            // languages in which jobs wait that no worker can run now
}

// PublishRuntimes records which languages a worker can run now (none: it is alive, and that is all) and what its backend warns of. The
// record holds for ttl, so a worker repeats it well before; ttl 0 withdraws it. A language that was offered once stays known.
func (q *Queue) PublishRuntimes(ctx context.Context, worker string, langs []job.Language, ttl time.Duration, warnings ...string) error {
	profiles := make([]json.RawMessage, len(langs))
	warned, err := json.Marshal(warnings)
	if err != nil {
		return fmt.Errorf("encode the warnings of worker %s: %w", worker, err)
	}
	args := []any{worker, nil, ttl.Milliseconds(), warned}
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

// Fleet returns the workers' records. Where two differ in a language, the latest counts.
func (q *Queue) Fleet(ctx context.Context) (Fleet, error) {
	const what = "read the languages"
	r, err := q.list(ctx, q.steps.fleet, 4, what)
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
	f.Warnings = readWarnings(pairs(r[3]))
	return f, nil
}

// readWarnings returns the warnings of those workers that have any.
func readWarnings(stored hash) map[string][]string {
	all := map[string][]string{}
	for worker, s := range stored {
		var list []string
		if json.Unmarshal([]byte(s), &list) == nil && len(list) > 0 {
			all[worker] = list
		}
	}
	return all
}

func byName(langs map[string]job.Language) []job.Language {
	return slices.SortedFunc(maps.Values(langs), func(a, b job.Language) int { return cmp.Compare(a.Name, b.Name) })
}

// ForgetLanguage removes a language from those that can be submitted, until a worker offers it again, and reports whether it was there.
func (q *Queue) ForgetLanguage(ctx context.Context, language string) (bool, error) {
	v, err := q.run(ctx, q.steps.forget, "forget the language "+language, language)
	return integer(v) == 1, err
}

// Sweep does the work that must not wait for a worker: it puts back jobs of workers that died, and fails jobs that have waited for longer
// than MaxWait for a language that no worker has offered for as long. It returns how many it failed; if any, there may be more. Any
// process may call it at any time.
func (q *Queue) Sweep(ctx context.Context) (failed int64, err error) {
	v, err := q.run(ctx, q.steps.sweep, "end jobs that nobody can run")
	return integer(v), err
}
