// SPDX-License-Identifier: Apache-2.0

package worker

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/ccee-dev/ccee/e2e/patience"
	"github.com/ccee-dev/ccee/e2e/redistest"
	"github.com/ccee-dev/ccee/job"
	"github.com/ccee-dev/ccee/queue"
)

func TestWorkerStoresResults(t *testing.T) {
	q := open(t, redistest.New(t), queue.Options{})
	reg := prometheus.NewRegistry()
	startWorker(t, q, fake{run: func(_ context.Context, s job.Spec) (job.Result, error) { return good(s), nil }}, Options{Metrics: reg})
	for range 20 {
		id := enqueue(t, q)
		r := wantEnd(t, q, id, queue.Succeeded)
		if got := string(r.Result.Steps[0].Stdout.Data); got != "source of "+id || r.FailureCategory != "none" || r.CostModelVersion != "fargate-v1" {
			t.Errorf("output %q, record %+v", got, r)
		}
	}
	wantNoneActive(t, q)
	f, err := q.Fleet(t.Context())
	if err != nil || f.Workers != 1 || f.Ready != 1 || len(f.Now) != 1 || f.Now[0].Name != "python" {
		t.Errorf("fleet = %+v, %v, want one worker with python", f, err)
	}
	if got, err := reg.Gather(); err != nil || len(got) == 0 {
		t.Errorf("metrics: %v, %v", got, err)
	}
}

// The worker's bound of output holds for jobs that have none of their own.
func TestOutputBytes(t *testing.T) {
	q := open(t, redistest.New(t), queue.Options{})
	specs := make(chan job.Spec, 1)
	startWorker(t, q, fake{run: func(_ context.Context, s job.Spec) (job.Result, error) { specs <- s; return good(s), nil }}, Options{OutputBytes: 100})
	wantEnd(t, q, enqueue(t, q), queue.Succeeded)
	if s := patience.Receive(t, specs, "the job runs"); s.Run.OutputBytes != 100 || s.Compile.OutputBytes != 100 {
		t.Errorf("run %+v, compile %+v", s.Run, s.Compile)
	}
	w := &Worker{opts: Options{OutputBytes: 100}}
	if s := w.withDefaults(job.Spec{Run: job.Limits{OutputBytes: 7}}); s.Run.OutputBytes != 7 {
		t.Errorf("a job's own bound became %d", s.Run.OutputBytes)
	}
	if s := w.withDefaults(job.Spec{Run: job.Limits{OutputTailBytes: 200}}); s.Run.OutputBytes != 200 { // a tail must fit
		t.Errorf("with a tail of 200 bytes %d are kept", s.Run.OutputBytes)
	}
}

func TestFailingProgramIsAResult(t *testing.T) {
	q := open(t, redistest.New(t), queue.Options{})
	var runs atomic.Int64
	startWorker(t, q, fake{run: func(_ context.Context, s job.Spec) (job.Result, error) {
		runs.Add(1)
		return job.Result{Status: job.Failed, Verdict: job.OOMKilled}, nil
	}}, Options{})
	r := wantEnd(t, q, enqueue(t, q), queue.Failed)
	if runs.Load() != 1 || r.Result == nil || r.FailureCategory != "runtime" || r.Error != "" {
		t.Errorf("%d runs, record %+v, want one run and its result", runs.Load(), r)
	}
}

// errBrokenDown is what a backend that dies with a job leaves.
var errBrokenDown = fmt.Errorf("%w: %w", ErrBroken, job.Errorf(job.EUnavailable, "gone"))

func TestFaultsOfOurs(t *testing.T) {
	for _, tt := range []struct {
		name           string
		faults         []error // of the first runs; then it works
		want           queue.State
		runs, attempts int
		message        string
	}{
		{"internal once", []error{errors.New("disk on fire")}, queue.Succeeded, 2, 2, ""},
		{"unavailable uses no attempt", []error{job.Errorf(job.EUnavailable, "gone"), job.Errorf(job.EUnavailable, "gone"), job.Errorf(job.EUnavailable, "gone")}, queue.Succeeded, 4, 1, ""},
		{"broken down twice", []error{errBrokenDown, errBrokenDown}, queue.Succeeded, 3, 3, ""},
		{"it breaks the backend each time", []error{errBrokenDown, errBrokenDown, errBrokenDown}, queue.Failed, 3, 3, messageUnavailable},
		{"for ever", []error{errors.New("a"), errors.New("b"), errors.New("c")}, queue.Failed, 3, 3, "internal error"},
		{"invalid", []error{job.Invalid("run.wallMs", "is 5, at least 50 is needed")}, queue.Failed, 1, 1, "run.wallMs is 5, at least 50 is needed"},
		{"busy uses no attempt", []error{job.Errorf(job.EBusy, "full"), job.Errorf(job.EBusy, "full"), job.Errorf(job.EBusy, "full")}, queue.Succeeded, 4, 1, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			q := open(t, redistest.New(t), queue.Options{RetryBackoff: 10 * time.Millisecond})
			var runs atomic.Int64
			startWorker(t, q, fake{run: func(_ context.Context, s job.Spec) (job.Result, error) {
				if n := int(runs.Add(1)); n <= len(tt.faults) {
					return job.Result{}, tt.faults[n-1]
				}
				return good(s), nil
			}}, Options{})
			r := wantEnd(t, q, enqueue(t, q), tt.want)
			if int(runs.Load()) != tt.runs || r.AttemptsMade != tt.attempts || r.Error != tt.message {
				t.Errorf("%d runs, %d attempts, error %q, want %d, %d, %q", runs.Load(), r.AttemptsMade, r.Error, tt.runs, tt.attempts, tt.message)
			}
			wantNoneActive(t, q)
		})
	}
}

// A backend that has run a program of the job and has no room then has done an attempt, or a job would have its share of the machine
// again and again.
func TestBusyAfterWork(t *testing.T) {
	q := open(t, redistest.New(t), queue.Options{RetryBackoff: time.Millisecond})
	var compiled atomic.Int64
	startWorker(t, q, fake{stream: func(_ context.Context, _ job.Spec, on func(job.Event)) (job.Result, error) {
		compiled.Add(1)
		on(job.Event{Type: job.EventStarted, Step: "compile"})
		return job.Result{}, job.Errorf(job.EBusy, "full")
	}}, Options{})
	r := wantEnd(t, q, enqueue(t, q), queue.Failed)
	if compiled.Load() != 3 || r.AttemptsMade != 3 || r.DeadLetteredAt.IsZero() || r.Error != messageUnavailable {
		t.Errorf("compiled %d times, %+v, want 3 attempts", compiled.Load(), r)
	}
	wantNoneActive(t, q)
}

// Nothing goes round for ever.
func TestBusyWithoutEnd(t *testing.T) {
	q := open(t, redistest.New(t), queue.Options{RetryBackoff: time.Millisecond, RetryMaxDelay: time.Millisecond})
	var runs atomic.Int64
	for range 8 { // each pauses after a job for which there is no room
		startWorker(t, q, fake{run: func(context.Context, job.Spec) (job.Result, error) {
			runs.Add(1)
			return job.Result{}, job.Errorf(job.EBusy, "full")
		}}, Options{})
	}
	r := wantEnd(t, q, enqueue(t, q), queue.Failed)
	if runs.Load() != 101 || r.Error != "no worker could run the job in 101 tries" || r.DeadLetteredAt.IsZero() {
		t.Errorf("%d runs, %+v", runs.Load(), r)
	}
	wantNoneActive(t, q)
}

func TestNothingIsClaimedWhileTheBackendIsDown(t *testing.T) {
	q := open(t, redistest.New(t), queue.Options{})
	asked := make(chan struct{}, 100)
	var ready atomic.Bool
	startWorker(t, q, fake{
		run: func(_ context.Context, s job.Spec) (job.Result, error) { return good(s), nil },
		ready: func() error {
			asked <- struct{}{}
			if ready.Load() {
				return nil
			}
			return job.Errorf(job.EUnavailable, "starting")
		},
	}, Options{})
	id := enqueue(t, q)
	for range 2 {
		patience.Receive(t, asked, "the backend is asked whether it is ready")
	}
	if r, err := q.Get(t.Context(), tenant, id); err != nil || r.Status != queue.Queued {
		t.Errorf("job is %s, %v, want queued", r.Status, err)
	}
	ready.Store(true)
	if r := wantEnd(t, q, id, queue.Succeeded); r.AttemptsMade != 1 {
		t.Errorf("%d attempts, want 1", r.AttemptsMade)
	}
}

// blocking is a backend whose runs end only with their context, and then with res.
func blocking(started chan<- string, res job.Result, err error) fake {
	return fake{run: func(ctx context.Context, s job.Spec) (job.Result, error) {
		started <- s.ID
		<-ctx.Done()
		return res, err
	}}
}

func TestCancelRunning(t *testing.T) {
	for name, b := range map[string]func(chan<- string) fake{
		"with a result": func(c chan<- string) fake {
			return blocking(c, job.Result{Status: job.StatusCancelled, Verdict: job.VerdictCancelled}, nil)
		},
		"without a result": func(c chan<- string) fake {
			return blocking(c, job.Result{}, job.Errorf(job.ECancelled, "before it ran"))
		},
	} {
		t.Run(name, func(t *testing.T) {
			q := open(t, redistest.New(t), queue.Options{})
			started := make(chan string, 1)
			startWorker(t, q, b(started), Options{})
			id := enqueue(t, q)
			patience.Receive(t, started, "the job starts")
			if s, err := q.Cancel(t.Context(), tenant, id); err != nil || s != queue.Running {
				t.Fatalf("cancel = %s, %v, want running", s, err)
			}
			if r := wantEnd(t, q, id, queue.Cancelled); r.Result == nil || r.Result.Verdict != job.VerdictCancelled || r.FailureCategory != "none" {
				t.Errorf("record = %+v", r)
			}
			wantNoneActive(t, q)
		})
	}
}

func TestLostLeaseStopsTheJob(t *testing.T) {
	r := redistest.NewDurable(t)
	q := open(t, r, queue.Options{Lease: 300 * time.Millisecond})
	started := make(chan string, 1)
	stopped := make(chan struct{})
	startWorker(t, q, fake{run: func(ctx context.Context, s job.Spec) (job.Result, error) {
		started <- s.ID
		<-ctx.Done()
		close(stopped)
		return job.Result{}, ctx.Err()
	}}, Options{Concurrency: 1})
	enqueue(t, q)
	patience.Receive(t, started, "the job starts")
	r.Kill()
	patience.Receive(t, stopped, "the worker, which can't renew its lease, gives the job up")
}

func TestStopLetsRunningJobsFinish(t *testing.T) {
	q := open(t, redistest.New(t), queue.Options{})
	started, finish := make(chan string, 1), make(chan struct{})
	stop := startWorker(t, q, fake{run: func(_ context.Context, s job.Spec) (job.Result, error) {
		started <- s.ID
		<-finish
		return good(s), nil
	}}, Options{Concurrency: 1})
	running, waiting := enqueue(t, q), enqueue(t, q)
	first := patience.Receive(t, started, "a job starts")
	var wg sync.WaitGroup
	wg.Go(stop)
	close(finish)
	wg.Wait()
	wantEnd(t, q, running, queue.Succeeded)
	select { // the other one may have been claimed before the stop was seen; then it has finished too
	case <-started:
		wantEnd(t, q, waiting, queue.Succeeded)
	default:
		if r, err := q.Get(t.Context(), tenant, waiting); err != nil || r.Status != queue.Queued {
			t.Errorf("after %s the other job is %s, %v, want queued", first, r.Status, err)
		}
	}
}

func TestStopHandsBackWhatDoesNotFinish(t *testing.T) {
	q := open(t, redistest.New(t), queue.Options{})
	started, stopped := make(chan string, 1), make(chan error, 1)
	stop := startWorker(t, q, fake{run: func(ctx context.Context, s job.Spec) (job.Result, error) {
		started <- s.ID
		<-ctx.Done()
		stopped <- context.Cause(ctx)
		return job.Result{Status: job.StatusCancelled, Verdict: job.VerdictCancelled}, nil
	}}, Options{Drain: time.Millisecond})
	id := enqueue(t, q)
	patience.Receive(t, started, "the job starts")
	stop()
	if why := patience.Receive(t, stopped, "the job is stopped"); why != errDraining { // it is in the log, for operators
		t.Errorf("the job was stopped because of %v, want %v", why, errDraining)
	}
	if r, err := q.Get(t.Context(), tenant, id); err != nil || r.Status != queue.Queued || r.AttemptsMade != 0 {
		t.Fatalf("record = %+v, %v, want it queued as before", r, err)
	}
	startWorker(t, q, fake{run: func(_ context.Context, s job.Spec) (job.Result, error) { return good(s), nil }}, Options{})
	if r := wantEnd(t, q, id, queue.Succeeded); r.AttemptsMade != 1 {
		t.Errorf("%d attempts, want 1", r.AttemptsMade)
	}
}

func TestConcurrencyIsBounded(t *testing.T) {
	q := open(t, redistest.New(t), queue.Options{})
	var running, most atomic.Int64
	full, finish := make(chan struct{}, 100), make(chan struct{})
	startWorker(t, q, fake{run: func(_ context.Context, s job.Spec) (job.Result, error) {
		most.Store(max(most.Load(), running.Add(1)))
		defer running.Add(-1)
		full <- struct{}{}
		<-finish
		return good(s), nil
	}}, Options{Concurrency: 3})
	var list []string
	for range 9 {
		list = append(list, enqueue(t, q))
	}
	for range 3 {
		patience.Receive(t, full, "three jobs run at once")
	}
	close(finish)
	for _, id := range list {
		wantEnd(t, q, id, queue.Succeeded)
	}
	if most.Load() != 3 {
		t.Errorf("%d jobs ran at once, want 3", most.Load())
	}
}

// TestConcurrencyOfTheBackend: without a number of its own a worker has as many jobs at once as the backend has slots; of those that the
// backend has not begun with there are never more than mostStarting, so that the rest waits where it is dealt out fairly.
func TestConcurrencyOfTheBackend(t *testing.T) {
	q := open(t, redistest.New(t), queue.Options{})
	const slots = 100
	begin, given, begun, finish := make(chan struct{}), make(chan struct{}, slots), make(chan struct{}, slots), make(chan struct{})
	startWorker(t, q, fake{slots: slots, stream: func(_ context.Context, s job.Spec, on func(job.Event)) (job.Result, error) {
		given <- struct{}{}
		<-begin
		on(job.Event{Type: job.EventStarted, Step: "run"})
		begun <- struct{}{}
		<-finish
		return good(s), nil
	}}, Options{})
	var list []string
	for range slots + 5 {
		list = append(list, enqueue(t, q))
	}
	for range mostStarting {
		patience.Receive(t, given, "jobs are given to the backend")
	}
	begin <- struct{}{}
	patience.Receive(t, begun, "one of them begins")
	patience.Receive(t, given, "the next one is given to it")
	if n := len(given); n != 0 {
		t.Errorf("%d more jobs were given to the backend, beside %d that have not begun", n, mostStarting)
	}
	close(begin)
	for range slots - 1 {
		patience.Receive(t, begun, "as many jobs run as there are slots")
	}
	close(finish)
	for _, id := range list {
		wantEnd(t, q, id, queue.Succeeded)
	}
}

func TestRedisKilledWhileJobsRun(t *testing.T) {
	r := redistest.NewDurable(t)
	q := open(t, r, queue.Options{RetryBackoff: 10 * time.Millisecond})
	started, finish := make(chan string, 100), make(chan struct{})
	startWorker(t, q, fake{run: func(_ context.Context, s job.Spec) (job.Result, error) {
		started <- s.ID
		<-finish
		return good(s), nil
	}}, Options{Concurrency: 4})
	var list []string
	for range 12 {
		list = append(list, enqueue(t, q))
	}
	for range 4 {
		patience.Receive(t, started, "four jobs run at once")
	}
	r.Kill()
	close(finish) // the four results come while Redis is away
	if err := r.Start(); err != nil {
		t.Fatal(err)
	}
	awaitRedis(t, q)
	for _, id := range list {
		rec := wantEnd(t, q, id, queue.Succeeded)
		if rec.AttemptsMade != 1 || !strings.HasSuffix(string(rec.Result.Steps[0].Stdout.Data), id) {
			t.Errorf("job %s: %d attempts, output %q", id, rec.AttemptsMade, rec.Result.Steps[0].Stdout.Data)
		}
	}
	wantNoneActive(t, q)
	if c, err := q.Counts(t.Context()); err != nil || c != (queue.Counts{Succeeded: 12}) {
		t.Errorf("counts = %+v, %v, want 12 succeeded and nothing else", c, err)
	}
}

func TestNewRefuses(t *testing.T) {
	for _, n := range []int{-1, 4097} {
		if _, err := New(nil, fake{}, Options{Concurrency: n}); err == nil || !strings.Contains(err.Error(), "0 to 4096") {
			t.Errorf("concurrency %d: %v, want an error that names the range", n, err)
		}
	}
}
