// SPDX-License-Identifier: Apache-2.0

package job

import "slices"

// Bounds of a Report.
const (
	MaxReportEvents = 512      // Report.Events
	MaxReportData   = 64 << 10 // bytes of one event's Data
)

// Report is what a process that runs one job elsewhere sends to the one that waits for it, over HTTP: daemon events while the job runs and,
// in the last report, how it ended. A Report without any member is a heartbeat.
type Report struct {
	Events []Event `json:"events,omitempty"` // in order; neither EventResult nor EventError

	// At most one of these is set, and only in the last report.
	Result      *Result `json:"result,omitempty"`
	Error       *Error  `json:"error,omitempty"`       // there is no result
	Interrupted bool    `json:"interrupted,omitempty"` // the machine is taken away: by AWS, from Spot capacity; the job can run elsewhere
}

// ReportAnswer is the answer to a Report.
type ReportAnswer struct {
	Cancelled bool `json:"cancelled"` // end the job
}

// Last reports whether no other Report follows r.
func (r *Report) Last() bool { return r.Result != nil || r.Error != nil || r.Interrupted }

// Check reports the first member of r that no honest process sends, as an *Error with code EInvalid.
func (r *Report) Check() error {
	ends := 0
	for _, end := range []bool{r.Result != nil, r.Error != nil, r.Interrupted} {
		if end {
			ends++
		}
	}
	switch {
	case ends > 1:
		return Invalid("result", "comes with another end of the job")
	case len(r.Events) > MaxReportEvents:
		return Invalid("events", "has %d entries, at most %d are allowed", len(r.Events), MaxReportEvents)
	}
	for _, ev := range r.Events {
		if err := checkEvent(&ev); err != nil {
			return err
		}
	}
	if r.Error != nil && !slices.Contains(codes, r.Error.Code) {
		return Invalid("error", "has the code %q, which there is not", clip(string(r.Error.Code), 80))
	}
	if r.Result != nil {
		return checkResult(r.Result)
	}
	return nil
}

var (
	liveEvents = []EventType{EventStarted, EventStdout, EventStderr, EventExited, EventTest}
	statuses   = []Status{Succeeded, Failed, StatusCancelled}
	codes      = []Code{EInvalid, ETooLarge, ENotFound, EConflict, EForbidden, EBusy, EUnavailable, ECancelled, EInternal}
	verdicts   = []Verdict{Exited, Signaled, WallTime, CPUTime, OOMKilled, OutputLimit, PidsLimit, FileSize, BadSyscall, StartFailed,
		VerdictCancelled, Internal, Accepted, WrongAnswer, CheckerFailed, NotRun}
)

func checkEvent(ev *Event) error {
	switch {
	case !slices.Contains(liveEvents, ev.Type):
		return Invalid("events", "has the event %q, which is not one of a running job", clip(string(ev.Type), 80))
	case len(ev.Data) > MaxReportData:
		return Invalid("events", "has one of %d bytes, at most %d are allowed", len(ev.Data), MaxReportData)
	case len(ev.Step) > MaxIDBytes || !plain(ev.Step), len(ev.Signal) > MaxIDBytes || !plain(ev.Signal):
		return Invalid("events", "has a step or a signal that is no name")
	case ev.Test < 0, ev.Offset < 0, ev.AtMs < 0:
		return Invalid("events", "has a negative number")
	case ev.Verdict != "" && !slices.Contains(verdicts, ev.Verdict):
		return Invalid("events", "has the verdict %q, which there is not", clip(string(ev.Verdict), 80))
	case ev.Result != nil || ev.Error != nil:
		return Invalid("events", "has the end of the job: that is another member")
	}
	return nil
}

func checkResult(r *Result) error {
	switch {
	case !slices.Contains(statuses, r.Status):
		return Invalid("result.status", "is %q, which is no final status", clip(string(r.Status), 80))
	case !slices.Contains(verdicts, r.Verdict):
		return Invalid("result.verdict", "is %q, which there is not", clip(string(r.Verdict), 80))
	case (r.Status == Succeeded) && (r.Verdict != Exited || r.ExitCode == nil || *r.ExitCode != 0) && r.Tests == nil:
		return Invalid("result.status", "is %q, but the program did not exit with 0", r.Status)
	case r.WallMs < 0:
		return Invalid("result.wallMs", "is negative")
	case len(r.Tier) > MaxIDBytes || !plain(r.Tier):
		return Invalid("result.tier", "is no name")
	case len(r.Steps) > maxSteps:
		return Invalid("result.steps", "has %d entries, at most %d are allowed", len(r.Steps), maxSteps)
	}
	return nil
}

// maxSteps is the largest number of Result.Steps: to compile the program and its checker, and to run it.
const maxSteps = 3

// NonceHeader is the HTTP header with the nonce of a process that asks for a job and reports on it.
const NonceHeader = "Ccee-Task-Nonce"
