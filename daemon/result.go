package daemon

import (
	"errors"
	"strconv"
	"time"

	"golang.org/x/sys/unix"

	"github.com/ccee-dev/ccee/job"
	"github.com/ccee-dev/ccee/nsjail"
)

// verdicts are nsjail's verdicts in the words of the wire.
var verdicts = map[nsjail.Verdict]job.Verdict{
	nsjail.Internal:    job.Internal,
	nsjail.StartFailed: job.StartFailed,
	nsjail.OOMKilled:   job.OOMKilled,
	nsjail.Cancelled:   job.VerdictCancelled,
	nsjail.WallTime:    job.WallTime,
	nsjail.CPUTime:     job.CPUTime,
	nsjail.OutputLimit: job.OutputLimit,
	nsjail.BadSyscall:  job.BadSyscall,
	nsjail.FileSize:    job.FileSize,
	nsjail.PidsLimit:   job.PidsLimit,
	nsjail.Signaled:    job.Signaled,
	nsjail.Exited:      job.Exited,
	nsjail.Paused:      job.Exited, // a program that was started ahead and has done what this step does
}

// stepResult says r in the words of the wire. The zero Verdict of nsjail is Internal, and so is one that is not in the table.
func stepResult(s step, r nsjail.Result) job.Step {
	verdict, ok := verdicts[r.Verdict]
	if !ok {
		verdict = job.Internal
	}
	out := job.Step{
		Name:    s.name,
		Verdict: verdict,
		Stdout:  output(r.Stdout),
		Stderr:  output(r.Stderr),
		Usage: job.Usage{
			WallMs:          milliseconds(r.Usage.Wall),
			CPUUserMs:       milliseconds(r.Usage.User),
			CPUSystemMs:     milliseconds(r.Usage.System),
			MemoryPeakBytes: max(0, r.Usage.MemoryPeak-s.extra),
			PidsPeak:        r.Usage.PidsPeak,
		},
		Limits: s.limits,

		Interleaving: interleaving(r.Order), InterleavingTruncated: r.OrderTruncated,
	}
	if r.Exited || r.Verdict == nsjail.Paused {
		code := r.ExitCode
		out.ExitCode = &code
	}
	if r.Signal != 0 {
		out.Signal = signalName(r.Signal)
	}
	for _, e := range r.Evidence {
		out.Evidence = append(out.Evidence, job.Evidence{Source: e.Source, Value: e.Value, Limit: e.Limit, Unit: e.Unit})
	}
	if r.Err != nil {
		out.Message = r.Err.Error() + remedy(r.Err)
	}
	return out
}

// remedy names the limit that kept a program from starting.
func remedy(err error) string {
	if errors.Is(err, unix.ENOSPC) {
		return ": raise workspaceBytes or workspaceInodes"
	}
	return ""
}

func output(o nsjail.Output) job.Output {
	return job.Output{Data: o.Data, Tail: o.Tail, Bytes: o.Bytes, Truncated: o.Truncated}
}

func interleaving(order []nsjail.Chunk) []job.Chunk {
	var list []job.Chunk
	for _, c := range order {
		list = append(list, job.Chunk{Stream: streamName(c), Offset: c.Offset, Bytes: c.Bytes})
	}
	return list
}

// streamName is the stream in the words of the wire, which are the types of its events too.
func streamName(c nsjail.Chunk) string {
	if c.Stream == 2 {
		return string(job.EventStderr)
	}
	return string(job.EventStdout)
}

// signalName is "SIGKILL", or "SIG34" for one without a name, such as the real-time signals.
func signalName(s unix.Signal) string {
	if name := unix.SignalName(s); name != "" {
		return name
	}
	return "SIG" + strconv.Itoa(int(s))
}

func milliseconds(d time.Duration) float64 {
	return float64(d.Microseconds()) / 1000
}

// jobResult sums up the steps that ran, of which there is at least one. Whether the job was cancelled can't be seen in them
// when that happened between two.
func jobResult(steps []job.Step, image string, wall time.Duration, cancelled bool) job.Result {
	last := &steps[len(steps)-1]
	res := job.Result{
		Status:   job.Failed,
		Verdict:  last.Verdict,
		ExitCode: last.ExitCode,
		Signal:   last.Signal,
		WallMs:   milliseconds(wall),
		Steps:    steps,
		Tier:     jailTier,
		Image:    image,
	}
	switch {
	case cancelled:
		res.Status, res.Verdict = job.StatusCancelled, job.VerdictCancelled
	case last.OK():
		res.Status = job.Succeeded
	}
	return res
}
