// SPDX-License-Identifier: Apache-2.0

package plan

import (
	"errors"
	"strconv"
	"time"

	"golang.org/x/sys/unix"

	"github.com/ccee-dev/ccee/job"
	"github.com/ccee-dev/ccee/nsjail"
)

// verdicts translates nsjail's verdicts into those of the wire.
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
	nsjail.Paused:      job.Exited, // a warm program that has finished the work of this step and waits for the next one
}

// Verdict is v in the words of the wire: Internal for one that is not in the table.
func Verdict(v nsjail.Verdict) job.Verdict {
	if verdict, ok := verdicts[v]; ok {
		return verdict
	}
	return job.Internal
}

// Result is how s ended, in the words of the wire.
func (s Step) Result(r nsjail.Result) job.Step {
	out := job.Step{
		Name:    s.Name,
		Verdict: Verdict(r.Verdict),
		Stdout:  output(r.Stdout),
		Stderr:  output(r.Stderr),
		Usage: job.Usage{
			WallMs:          Milliseconds(r.Usage.Wall),
			CPUUserMs:       Milliseconds(r.Usage.User),
			CPUSystemMs:     Milliseconds(r.Usage.System),
			MemoryPeakBytes: max(0, r.Usage.MemoryPeak-s.MemoryExtra),
			PidsPeak:        r.Usage.PidsPeak,
		},
		Limits: s.Limits,

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

// remedy names the limits to raise, if one kept the program from starting.
func remedy(err error) string {
	if errors.Is(err, unix.ENOSPC) {
		return ": raise workspaceBytes or workspaceInodes"
	}
	return ""
}

// output is the kept part of a stream, in the words of the wire.
func output(o nsjail.Output) job.Output {
	return job.Output{Data: o.Data, Tail: o.Tail, Bytes: o.Bytes, Truncated: o.Truncated}
}

// interleaving is the order of writes, in the words of the wire.
func interleaving(order []nsjail.Chunk) []job.Chunk {
	var list []job.Chunk
	for _, c := range order {
		list = append(list, job.Chunk{Stream: StreamName(c), Offset: c.Offset, Bytes: c.Bytes})
	}
	return list
}

// StreamName is "stdout" or "stderr": the stream of c in the words of the wire, which are also the types of its events.
func StreamName(c nsjail.Chunk) string {
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

// Milliseconds is d with a resolution of microseconds.
func Milliseconds(d time.Duration) float64 {
	return float64(d.Microseconds()) / 1000
}

// JobResult sums up the steps that ran, of which there is at least one. cancelled has to be passed, since a job that is cancelled between
// two steps has only good ones. The result lacks its Tier, which is the daemon's to know.
func JobResult(steps []job.Step, image string, wall time.Duration, cancelled bool) job.Result {
	last := &steps[len(steps)-1]
	res := job.Result{
		Status:   job.Failed,
		Verdict:  last.Verdict,
		ExitCode: last.ExitCode,
		Signal:   last.Signal,
		WallMs:   Milliseconds(wall),
		Steps:    steps,
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
