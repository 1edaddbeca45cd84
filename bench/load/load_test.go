// SPDX-License-Identifier: Apache-2.0

package load

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ccee-dev/ccee/bench/capacity"
	"github.com/ccee-dev/ccee/job"
)

// fake runs jobs, each for a time, and counts how many it runs at once.
type fake struct {
	takes  time.Duration
	answer func(n int) (job.Result, error) // to the nth job, from 0

	mu            sync.Mutex // guards the rest
	n, now, peak  int
	ids           map[string]bool
	cpuMillicores int64
}

func (f *fake) Run(_ context.Context, spec job.Spec) (job.Result, error) {
	f.mu.Lock()
	n := f.n
	f.n++
	f.now++
	f.peak = max(f.peak, f.now)
	if f.ids == nil {
		f.ids = map[string]bool{}
	}
	f.ids[spec.ID], f.cpuMillicores = true, spec.Run.CPUMillicores
	f.mu.Unlock()
	time.Sleep(f.takes)
	f.mu.Lock()
	f.now--
	f.mu.Unlock()
	return f.answer(n)
}

func succeeds(int) (job.Result, error) { return job.Result{Status: job.Succeeded}, nil }

// TestMeasure: n clients have n jobs at once, each with an id of its own; a busy daemon is counted and is no time.
func TestMeasure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fake{takes: 10 * time.Millisecond, answer: func(n int) (job.Result, error) {
			if n%4 == 3 {
				return job.Result{}, &job.Error{Code: job.EBusy}
			}
			return succeeds(n)
		}}
		s, err := Measure(t.Context(), f, Spec("python", "x"), 4, time.Second)
		want := Step{Clients: 4, Jobs: 300, JobsPerSecond: 300, P50Ms: 10, P99Ms: 10, P999Ms: 10, Refused: 100}
		if err != nil || s != want || f.peak != 4 || len(f.ids) != 400 || f.cpuMillicores != 1000 {
			t.Errorf("%+v, %v; want %+v; %d at once, %d ids, %d millicores", s, err, want, f.peak, len(f.ids), f.cpuMillicores)
		}
	})
}

// TestMeasureFails: a job that fails ends the measurement; so does one in which no job ended.
func TestMeasureFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for name, answer := range map[string]func(int) (job.Result, error){
			"connection refused":           func(int) (job.Result, error) { return job.Result{}, errors.New("connection refused") },
			"a job failed under this load": func(int) (job.Result, error) { return job.Result{Status: job.Failed, Verdict: job.OOMKilled}, nil },
			"no job ended within 1s":       func(int) (job.Result, error) { return job.Result{}, &job.Error{Code: job.EBusy} },
		} {
			if _, err := Measure(t.Context(), &fake{takes: time.Millisecond, answer: answer}, Spec("python", "x"), 2, time.Second); err == nil || !strings.Contains(err.Error(), name) {
				t.Errorf("%v, want %q", err, name)
			}
		}
	})
}

// TestReplay: jobs start at their times, whatever the ones before do; the first tenth is not timed.
func TestReplay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var all []capacity.Arrival
		for i := range 20 {
			all = append(all, capacity.Arrival{At: float64(i) / 10, Language: Languages[i%2]})
		}
		f := &fake{takes: 250 * time.Millisecond, answer: func(n int) (job.Result, error) {
			if n == 19 {
				return job.Result{}, &job.Error{Code: job.EBusy}
			}
			return succeeds(n)
		}}
		began := time.Now()
		r, err := Replay(t.Context(), f, all)
		if err != nil || time.Since(began) != 2150*time.Millisecond || f.peak != 3 {
			t.Fatalf("%v after %v, %d at once", err, time.Since(began), f.peak)
		}
		if r.Refused != 1 || r.Jobs != 20 || r.Hosts != 1 || r.Time.P50 != 250 || len(r.ByLanguage) != 2 || r.ByLanguage[0].Jobs != 9 || r.ByLanguage[1].Jobs != 8 {
			t.Errorf("%+v", r)
		}
		if _, err := Replay(t.Context(), f, []capacity.Arrival{{Language: "cobol"}}); job.ErrorCode(err) != job.EInvalid {
			t.Errorf("an unknown language: %v", err)
		}
		f.answer = func(int) (job.Result, error) { return job.Result{Status: job.Failed, Verdict: job.Exited}, nil }
		if _, err := Replay(t.Context(), f, all); err == nil || !strings.Contains(err.Error(), "a job failed: ") {
			t.Errorf("a failing job: %v", err)
		}
	})
}

// TestProfile: what a simulation needs is there, for a host on which each job takes 20 ms.
func TestProfile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var steps []string
		l, err := Profile(t.Context(), &fake{takes: 20 * time.Millisecond, answer: succeeds}, "java", 2, 5, time.Second, func(s string) { steps = append(steps, s) })
		if err != nil || l.Name != "java" || l.ColdMs != 20 || l.WarmMs != 20 || l.WarmP99Ms != 20 || l.ColdCPUMs != 5 || l.WarmCPUMs < 0 || len(steps) != 3 {
			t.Errorf("%+v, %v, %q", l, err, steps) // 8 clients of 20 ms are 400 jobs a second: 5 ms of two cores each
		}
	})
}
