package worker

import (
	"errors"

	"github.com/ccee-dev/ccee/job"
	"github.com/ccee-dev/ccee/queue"
)

// errDraining is why a job is stopped that did not finish within the drain time.
var errDraining = errors.New("the worker is stopping")

// action is what is done with a lease at the end of a run.
type action int

const (
	nothing  action = iota // the job is somebody else's by now
	complete               // store the result
	retry                  // our fault: another attempt
	fail                   // it can never run
	release                // hand it back, the attempt is not counted
)

// verdict is an action with what it needs.
type verdict struct {
	do     action
	result job.Result  // for complete
	fault  queue.Fault // for retry and fail, and the cause for release
	doubt  bool        // whether the backend can run jobs is to be asked before another one is taken
}

// What tenants are told of faults of ours.
const (
	sayInternal    = "internal error"
	sayUnavailable = "the execution service was not available"
)

// decide says what to do when a run has ended: res and err are the backend's answer, stopped is why the worker stopped the run, nil
// if it did not; began says that a program of the job was started.
func decide(res job.Result, err, stopped error, began bool) verdict {
	if errors.Is(stopped, queue.ErrLeaseLost) {
		return verdict{do: nothing}
	}
	if err == nil && res.Status != job.StatusCancelled && res.Verdict != job.Internal {
		return verdict{do: complete, result: res} // it ended by itself, whatever was asked meanwhile
	}
	switch {
	case errors.Is(stopped, queue.ErrCancelRequested):
		if err != nil || res.Status != job.StatusCancelled {
			res = job.Result{Status: job.StatusCancelled, Verdict: job.VerdictCancelled}
		}
		return verdict{do: complete, result: res}
	case stopped != nil:
		return verdict{do: release, fault: queue.Fault{Cause: stopped.Error()}}
	case err == nil && res.Status == job.StatusCancelled: // not at our wish: the daemon is stopping
		return verdict{do: release, fault: queue.Fault{Cause: "the backend stopped the job, and nobody had asked for it"}, doubt: true}
	case err == nil:
		return verdict{do: retry, fault: queue.Fault{Message: sayInternal, Cause: cause(res)}}
	}
	return decideError(err, began)
}

// decideError is decide for a backend that refused or broke down. A job that was not begun is handed back, and that costs it no attempt. One
// that may have been begun costs an attempt: it may be what broke the backend, and must not do so for ever.
func decideError(err error, began bool) verdict {
	var e *job.Error
	code := job.ErrorCode(err)
	switch {
	case code == job.EInvalid && errors.As(err, &e) && e.Field == "language": // it was offered when the job was taken
		return verdict{do: release, fault: queue.Fault{Cause: err.Error()}, doubt: true}
	case code == job.EInvalid, code == job.ETooLarge, code == job.ENotFound:
		return verdict{do: fail, fault: queue.Fault{Message: err.Error(), Cause: err.Error()}}
	case code == job.EBusy && began: // it has had its share of the machine: an attempt, or it would have it again and again
		return verdict{do: retry, fault: queue.Fault{Message: sayUnavailable, Cause: err.Error()}}
	case code == job.EBusy:
		return verdict{do: release, fault: queue.Fault{Cause: err.Error()}}
	case code == job.EUnavailable && !errors.Is(err, ErrBroken):
		return verdict{do: release, fault: queue.Fault{Cause: err.Error()}, doubt: true}
	case code == job.EUnavailable:
		return verdict{do: retry, fault: queue.Fault{Message: sayUnavailable, Cause: err.Error()}, doubt: true}
	default:
		return verdict{do: retry, fault: queue.Fault{Message: sayInternal, Cause: err.Error()}}
	}
}

// cause tells operators why a result is none.
func cause(res job.Result) string {
	if s := res.Last(); s != nil && s.Message != "" {
		return "step " + s.Name + ": " + s.Message
	}
	return "the backend reports an internal fault"
}
