// SPDX-License-Identifier: Apache-2.0

package job

// Status is whether a finished job succeeded, in one word.
type Status string

// The statuses of a Result.
const (
	Succeeded       Status = "succeeded" // every step exited with 0
	Failed          Status = "failed"    // a step did not
	StatusCancelled Status = "cancelled" // the caller cancelled it
)

// Verdict is how a step ended. It is decided by kernel evidence, never by what the program printed or by its exit code.
type Verdict string

// The verdicts.
const (
	Exited           Verdict = "exited"       // the program called exit; see ExitCode
	Signaled         Verdict = "signaled"     // a signal of its own doing ended it; see Signal
	WallTime         Verdict = "wall_time"    // killed at the deadline
	CPUTime          Verdict = "cpu_time"     // used up its CPU time
	OOMKilled        Verdict = "oom_killed"   // the kernel killed it for memory.max
	OutputLimit      Verdict = "output_limit" // killed for flooding its output
	PidsLimit        Verdict = "pids_limit"   // failed after a fork was refused by pids.max
	FileSize         Verdict = "file_size"    // SIGXFSZ: wrote beyond RLIMIT_FSIZE
	BadSyscall       Verdict = "bad_syscall"  // the seccomp policy kills for a call that was made; see DeniedSyscalls
	StartFailed      Verdict = "start_failed" // the program could not be started inside the sandbox
	VerdictCancelled Verdict = "cancelled"    // killed because the caller cancelled or left
	Internal         Verdict = "internal"     // the sandbox failed; our fault
)

// Evidence is one fact of the kernel that a verdict rests on.
type Evidence struct {
	Source string `json:"source"`          // where it was read: "memory.events oom_kill", "wait status", "timer"
	Value  int64  `json:"value"`           // as it was read
	Limit  int64  `json:"limit,omitempty"` // the threshold it is held against
	Unit   string `json:"unit,omitempty"`  // "bytes", "ms", "signal", "syscall", ""
}

// EvidenceStarved is the Source of an Evidence that a wall limit passed because the host was busy: its Value is for how many milliseconds
// the step was ready to run and got no CPU time.
const EvidenceStarved = "cpu.pressure full"

// DeniedSyscall is a system call that the seccomp policy refused, with the arguments of its first time.
type DeniedSyscall struct {
	Name   string   `json:"name"` // "ptrace"; "others" for those that found no place in the list
	Nr     int32    `json:"nr"`
	Args   []string `json:"args,omitempty"` // "0x10", as the kernel saw them
	Count  int64    `json:"count"`
	Errno  string   `json:"errno,omitempty"`  // that the call returned: "EPERM"
	Killed bool     `json:"killed,omitempty"` // instead, the job was killed for it
}

// Usage is the resources that one step consumed.
type Usage struct {
	WallMs          float64 `json:"wallMs"`
	CPUUserMs       float64 `json:"cpuUserMs"`
	CPUSystemMs     float64 `json:"cpuSystemMs"`
	MemoryPeakBytes int64   `json:"memoryPeakBytes"`
	PidsPeak        int64   `json:"pidsPeak,omitempty"` // 0 where the kernel doesn't count it
}

// Output is the captured part of one stream.
type Output struct {
	Data      []byte // the first bytes, at most Limits.OutputBytes
	Tail      []byte // the last bytes, at most Limits.OutputTailBytes, when some are left out before them
	Bytes     int64  // how many were written in all
	Truncated bool   // Bytes > len(Data) + len(Tail)

	// BytesOnly leaves the text out of the JSON where it differs from the bytes: only base64 has them.
	BytesOnly bool
}

// Omitted is how many bytes are left out between Data and Tail.
func (o *Output) Omitted() int64 { return o.Bytes - int64(len(o.Data)) - int64(len(o.Tail)) }

// Chunk is a piece of a step's output.
type Chunk struct {
	Stream string `json:"stream"` // "stdout" or "stderr"
	Offset int64  `json:"offset"` // in the bytes written to the stream
	Bytes  int64  `json:"bytes"`
}

// Step is the outcome of one step.
type Step struct {
	Name     string  `json:"name"` // "compile", "run" or "checker"
	Verdict  Verdict `json:"verdict"`
	ExitCode *int    `json:"exitCode"`         // nil unless the verdict is exited or the program exited by itself
	Signal   string  `json:"signal,omitempty"` // "SIGKILL"
	Stdout   Output  `json:"stdout"`
	Stderr   Output  `json:"stderr"`
	// Interleaving has the kept bytes of both streams in the order in which they were written, where Spec.Interleave asked
	// for it.
	Interleaving          []Chunk `json:"interleaving,omitempty"`
	InterleavingTruncated bool    `json:"interleavingTruncated,omitempty"` // it doesn't have all of them

	Usage    Usage      `json:"usage"`
	Limits   Limits     `json:"limits"` // that applied
	Evidence []Evidence `json:"evidence,omitempty"`
	// DeniedSyscalls are in the order of their first time. Calls that only newer kernels have are not there: see the policy.
	DeniedSyscalls []DeniedSyscall `json:"deniedSyscalls,omitempty"`
	Message        string          `json:"message,omitempty"` // start_failed and internal: which step of the set-up failed
}

// OK reports whether the step exited with 0.
func (s *Step) OK() bool { return s.Verdict == Exited && s.ExitCode != nil && *s.ExitCode == 0 }

// Starved is for how many milliseconds the host had no CPU time for the step, if that was a good part of its wall time and this has passed.
func (s *Step) Starved() int64 {
	for _, e := range s.Evidence {
		if e.Source == EvidenceStarved {
			return e.Value
		}
	}
	return 0
}

// Result is the outcome of a job. Verdict, ExitCode and Signal are those of the last step that ran.
type Result struct {
	Status   Status  `json:"status"`
	Verdict  Verdict `json:"verdict"`
	ExitCode *int    `json:"exitCode"`
	Signal   string  `json:"signal,omitempty"`
	WallMs   float64 `json:"wallMs"` // from the first file written to the end of the last step
	Steps    []Step  `json:"steps"`
	Tier     string  `json:"tier"`            // the isolation: "jail" or "task", with "-degraded" where the self-test of the daemon failed
	Image    string  `json:"image,omitempty"` // digest of the language image

	// OutputFiles is nil unless the Spec asked for output files.
	OutputFiles *OutputFiles `json:"outputFiles,omitempty"`

	// Tests is nil unless the Spec had tests. Then Steps has no run step.
	Tests *TestResults `json:"tests,omitempty"`
}

// Last returns the step that ended the job, or nil.
func (r *Result) Last() *Step {
	if len(r.Steps) == 0 {
		return nil
	}
	return &r.Steps[len(r.Steps)-1]
}

// Step returns the step of that name, or nil.
func (r *Result) Step(name string) *Step {
	for i := range r.Steps {
		if r.Steps[i].Name == name {
			return &r.Steps[i]
		}
	}
	return nil
}

// TimedOut reports whether a time limit ended the job.
func (r *Result) TimedOut() bool { return r.Verdict == WallTime || r.Verdict == CPUTime }
