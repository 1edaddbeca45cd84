// SPDX-License-Identifier: Apache-2.0

package load

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/ccee-dev/ccee/bench/capacity"
	"github.com/ccee-dev/ccee/job"
)

// Replayed is the result of jobs that arrived at given moments.
type Replayed struct {
	capacity.Result
	Refused int `json:"refused"` // the daemon was busy
}

// Replay runs hellos at the times of the arrivals, each whether or not the ones before have ended. Times are of all but the first tenth.
// A job that fails ends it with an error.
func Replay(ctx context.Context, on Runner, arrivals []capacity.Arrival) (Replayed, error) {
	for _, a := range arrivals {
		if Program(a.Language) == "" {
			return Replayed{}, &job.Error{Code: job.EInvalid, Message: fmt.Sprintf("there is no program to run in %q: there are %v", a.Language, Languages)}
		}
	}
	r := replay{seconds: map[string][]float64{}}
	if err := r.run(ctx, on, arrivals); err != nil {
		return Replayed{}, err
	}
	return r.result(len(arrivals)), nil
}

// replay gathers results.
type replay struct {
	mu      sync.Mutex           // guards the rest
	seconds map[string][]float64 // that jobs took, by language
	refused int
}

func (r *replay) run(ctx context.Context, on Runner, arrivals []capacity.Arrival) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var jobs sync.WaitGroup
	began := time.Now()
	for i, a := range arrivals {
		select {
		case <-ctx.Done():
		case <-time.After(time.Until(began.Add(time.Duration(a.At * float64(time.Second))))):
		}
		if ctx.Err() != nil {
			break
		}
		jobs.Go(func() {
			start := time.Now()
			res, err := on.Run(ctx, Spec(a.Language, Program(a.Language)))
			took := time.Since(start)
			r.mu.Lock()
			defer r.mu.Unlock()
			switch {
			case err != nil && job.ErrorCode(err) == job.EBusy:
				r.refused++
			case err != nil:
				cancel(err)
			case res.Status != job.Succeeded:
				cancel(fmt.Errorf("a job failed: %s (%s)", res.Status, res.Verdict))
			case i >= len(arrivals)/10:
				r.seconds[a.Language] = append(r.seconds[a.Language], took.Seconds())
			}
		})
	}
	jobs.Wait()
	return context.Cause(ctx)
}

func (r *replay) result(jobs int) Replayed {
	all := Replayed{Result: capacity.Result{Hosts: 1, Jobs: jobs}, Refused: r.refused}
	var together []float64
	for _, name := range Languages {
		if t := r.seconds[name]; len(t) > 0 {
			together = append(together, t...)
			all.ByLanguage = append(all.ByLanguage, capacity.ByLanguage{Language: name, Jobs: len(t), Time: capacity.NewTimes(t)})
		}
	}
	all.Time = capacity.NewTimes(together)
	return all
}
