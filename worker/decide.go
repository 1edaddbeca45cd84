// SPDX-License-Identifier: Apache-2.0

package worker

import (
	"errors"

	"github.com/ccee-dev/ccee/job"
	"github.com/ccee-dev/ccee/queue"
)

// errDraining is the cause of a job that is stopped because it did not finish within the drain time.
var errDraining = errors.New("the worker is stopping")

// action is what the worker does with a lease at the end of a run.
type action int

const (
	drop     action = iota // write nothing: another worker has the job
	complete               // store the result
	retry                  // another attempt: it failed by our fault
	fail                   // end the job: it can never run
	release                // hand the job back; the attempt is not counted
)

// decision is an action with its parameters.
type decision struct {
	action  action
	result  job.Result   // for complete
	fault   queue.Fault  // for retry and fail; of release the cause
	placed  job.Dispatch // of complete: where a remote backend ran the job
	recheck bool         // ask the backend whether it can run jobs before the next one is claimed
}

// Messages for tenants about faults of ours.
const (
	messageInternal    = "internal error"
	messageUnavailable = "the execution service was not available"
)

// decide returns what to do when a run has ended. res and err are the backend's answer; stopped is why the worker stopped the run, nil if
// it did not; began reports whether a program of the job was started.
func decide(res job.Result, err, stopped error, began bool) decision {
	if errors.Is(stopped, queue.ErrLeaseLost) {
		return decision{action: drop}
	}
	if err == nil && res.Status != job.StatusCancelled && res.Verdict != job.Internal {
		return decision{action: complete, result: res} // it ended by itself, even if it was to be cancelled
	}
	switch {
	case errors.Is(stopped, queue.ErrCancelRequested):
		if err != nil || res.Status != job.StatusCancelled {
			res = job.Result{Status: job.StatusCancelled, Verdict: job.VerdictCancelled}
		}
		return decision{action: complete, result: res}
	case errors.Is(stopped, errOverdue) && began:
		return decision{action: retry, fault: queue.Fault{Message: messageUnavailable, Cause: stopped.Error()}, recheck: true}
	case stopped != nil:
		return decision{action: release, fault: queue.Fault{Cause: stopped.Error()}, recheck: errors.Is(stopped, errOverdue)}
	case err == nil && res.Status == job.StatusCancelled: // we did not stop it: the daemon is stopping
		return decision{action: release, fault: queue.Fault{Cause: "the backend stopped the job without being asked to"}, recheck: true}
	case err == nil:
		return decision{action: retry, fault: queue.Fault{Message: messageInternal, Cause: cause(res)}}
	}
	return decideError(err, began)
}

// decideError is decide for a backend that refused the job or broke down. A job that was not started is handed back and loses no attempt.
// One that may have been started loses an attempt: it may have broken the backend, and must not do that again and again.
func decideError(err error, began bool) decision {
	var e *job.Error
	code := job.ErrorCode(err)
	switch {
	case code == job.EInvalid && errors.As(err, &e) && e.Field == "language": // it was offered when the job was claimed
		return decision{action: release, fault: queue.Fault{Cause: err.Error()}, recheck: true}
	case code == job.EInvalid, code == job.ETooLarge, code == job.ENotFound:
		return decision{action: fail, fault: queue.Fault{Message: err.Error(), Cause: err.Error()}}
	case code == job.EBusy && began: // it has used the machine: without an attempt it would do that again and again
		return decision{action: retry, fault: queue.Fault{Message: messageUnavailable, Cause: err.Error()}}
	case code == job.EBusy:
		return decision{action: release, fault: queue.Fault{Cause: err.Error()}}
	case code == job.EUnavailable && !errors.Is(err, ErrBroken):
		return decision{action: release, fault: queue.Fault{Cause: err.Error()}, recheck: true}
	case code == job.EUnavailable:
		return decision{action: retry, fault: queue.Fault{Message: messageUnavailable, Cause: err.Error()}, recheck: true}
	default:
		return decision{action: retry, fault: queue.Fault{Message: messageInternal, Cause: err.Error()}}
	}
}

// cause is, for operators, why a result is an internal fault.
func cause(res job.Result) string {
	if s := res.Last(); s != nil && s.Message != "" {
		return "step " + s.Name + ": " + s.Message
	}
	return "the backend reports an internal fault"
}
