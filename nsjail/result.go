// SPDX-License-Identifier: Apache-2.0

package nsjail

import (
	"errors"
	"fmt"
	"time"

	"golang.org/x/sys/unix"
)

// Verdict says how a Process ended, by kernel evidence alone.
type Verdict int

// The verdicts. Where several hold, the function verdict has the order of precedence.
const (
	Internal    Verdict = iota // the sandbox broke; Result.Err says how
	StartFailed                // a set-up step or execve failed; Result.Err says which
	OOMKilled                  // memory.events oom_kill
	Cancelled                  // the context ended
	WallTime                   // the timer fired
	CPUTime                    // cpu.stat passed the limit
	OutputLimit                // bytes counted passed FloodMax
	BadSyscall                 // an Answer that kills
	FileSize                   // wait status SIGXFSZ
	PidsLimit                  // it failed, and pids.events max rose
	Signaled                   // wait status
	Exited                     // wait status
	Paused                     // wait status: it has stopped itself, and the sandbox's next Run continues it
)

// verdictNames are the names of the constants.
var verdictNames = [...]string{
	Internal: "Internal", StartFailed: "StartFailed", OOMKilled: "OOMKilled", Cancelled: "Cancelled",
	WallTime: "WallTime", CPUTime: "CPUTime", OutputLimit: "OutputLimit", BadSyscall: "BadSyscall", FileSize: "FileSize",
	PidsLimit: "PidsLimit", Signaled: "Signaled", Exited: "Exited", Paused: "Paused",
}

// String is the name of v's constant.
func (v Verdict) String() string {
	if v < 0 || int(v) >= len(verdictNames) {
		return fmt.Sprintf("Verdict(%d)", int(v))
	}
	return verdictNames[v]
}

// Evidence is one fact that a verdict rests on.
type Evidence struct {
	Source string // "memory.events oom_kill"
	Value  int64
	Limit  int64
	Unit   string
}

// Output is the captured part of a stream.
type Output struct {
	Data      []byte // the first bytes
	Tail      []byte // the last bytes, if asked for and bytes before them were dropped
	Bytes     int64  // written, as far as they were read
	Truncated bool   // Bytes is more than Data and Tail have
}

// Chunk is a piece of a stream.
type Chunk struct {
	Stream        int   // 1 or 2
	Offset, Bytes int64 // its place in the whole stream
}

// Usage is the consumption of the process and its descendants, without sandbox-init.
type Usage struct {
	Wall       time.Duration
	User       time.Duration
	System     time.Duration
	MemoryPeak int64 // bytes
	PidsPeak   int64 // 0 where the kernel doesn't count it
}

// Result is the outcome of one Process.
type Result struct {
	Verdict        Verdict
	Exited         bool        // the main process called exit: ExitCode holds
	ExitCode       int         //
	Signal         unix.Signal // that ended the main process, or 0
	Stdout, Stderr Output
	Order          []Chunk // in which the kept bytes were written, if asked for
	OrderTruncated bool    // Order doesn't have all of them
	Usage          Usage
	Evidence       []Evidence
	Denied         []Denied // system calls that were refused, in the order of their first time
	DeniedMissed   int64    // refused calls that found no place in Denied
	Err            error    // for StartFailed and Internal: "execve /usr/bin/python3: no such file or directory"
}

// full is the result of a step that could not begin because the one before it left too much memory in use.
func (sb *Sandbox) full(p Process) Result {
	held, _ := sb.cg.memoryCurrent() // for the evidence alone
	return Result{Verdict: OOMKilled, Evidence: []Evidence{{"memory.current", held, p.Resources.MemoryMax, "bytes"}}}
}

// classify decides the verdict by the kernel's counters and how the process ended.
func classify(p Process, end ending, before, after counters) Result {
	r := Result{Usage: Usage{
		Wall: end.wall, User: max(after.user-before.user, 0), System: max(after.system-before.system, 0),
		MemoryPeak: max(after.memoryPeak-initMemory, 0), PidsPeak: after.pidsPeak,
	}}
	add := func(source string, value, limit int64, unit string) {
		r.Evidence = append(r.Evidence, Evidence{source, value, limit, unit})
	}
	oom, refused := after.oomKills-before.oomKills, after.pidsRefused-before.pidsRefused
	if oom > 0 {
		add("memory.events oom_kill", oom, p.Resources.MemoryMax, "bytes")
	}
	if !end.killed {
		end.cause, end.killed = passed(p, end, r.Usage)
	}
	if end.killed {
		r.Evidence = append(r.Evidence, killEvidence(p, end, r.Usage, oom > 0, after.sources)...)
	}
	if refused > 0 {
		add(after.sources.pids, refused, p.Resources.PidsMax, "")
	}
	if end.exited {
		add("wait status", int64(end.status), 0, "")
		r.Exited, r.ExitCode = end.status.Exited(), 0
		if r.Exited {
			r.ExitCode = end.status.ExitStatus()
		} else {
			r.Signal = end.status.Signal()
		}
	}
	if end.paused {
		add("wait status stopped", int64(unix.SIGSTOP), 0, "signal")
	}
	// Whoever kills a whole sandbox, the kernel or we, does it with SIGKILL; nobody is left then to report the wait status.
	if !end.exited && (end.killed || oom > 0) {
		r.Signal = unix.SIGKILL
	}
	r.Verdict, r.Err = verdict(end, r, oom > 0, refused > 0)
	if r.Verdict == WallTime {
		if e, ok := starved(p, r.Usage, end.pressure); ok {
			r.Evidence = append(r.Evidence, e)
		}
	}
	r.Denied, r.DeniedMissed = end.denied, end.deniedMissed
	return r
}

// addOutput takes the kept output.
func (r *Result) addOutput(k *kept) {
	r.Order, r.OrderTruncated = k.finish()
	r.Stdout, r.Stderr = k.out[0], k.out[1]
}

// killEvidence is the evidence for a kill; counted: the kernel's own counter is in the evidence already.
func killEvidence(p Process, end ending, u Usage, counted bool, from sources) []Evidence {
	switch end.cause {
	case OOMKilled:
		if end.excess != (Evidence{}) {
			return []Evidence{end.excess}
		}
		if !counted { // we were faster than the kernel
			return []Evidence{{"memory.oom_control event", 1, p.Resources.MemoryMax, "bytes"}}
		}
	case WallTime:
		return []Evidence{{"timer wall", end.wall.Milliseconds(), p.WallTime.Milliseconds(), "ms"}}
	case CPUTime:
		return []Evidence{{from.cpu, (u.User + u.System).Milliseconds(), p.CPUTime.Milliseconds(), "ms"}}
	case OutputLimit:
		return []Evidence{{"bytes counted", end.output, p.FloodMax, "bytes"}}
	case BadSyscall:
		for _, d := range end.denied {
			if d.Kill {
				return []Evidence{{"seccomp notification", int64(d.Nr), 0, "syscall"}}
			}
		}
	}
	return nil
}

// passed names the limit that a program exceeded although it ended by itself, just before it would have been killed: the verdict must not
// depend on which was faster.
func passed(p Process, end ending, u Usage) (Verdict, bool) {
	switch {
	case !end.exited && !end.paused:
		return Internal, false
	case end.wall > p.WallTime:
		return WallTime, true
	case u.User+u.System > p.CPUTime:
		return CPUTime, true
	case end.output > p.FloodMax:
		return OutputLimit, true
	}
	return Internal, false
}

// verdict is the order of precedence.
func verdict(end ending, r Result, oom, refused bool) (Verdict, error) {
	switch {
	case oom:
		return OOMKilled, nil
	case end.startErr != nil:
		return StartFailed, end.startErr
	case end.killed:
		return end.cause, nil
	case end.paused:
		return Paused, nil
	case !end.exited:
		return Internal, errors.New("sandbox-init ended before the program did")
	case r.Signal == unix.SIGXFSZ:
		return FileSize, nil
	case refused && (r.Signal != 0 || r.ExitCode != 0):
		return PidsLimit, nil
	case r.Signal != 0:
		return Signaled, nil
	}
	return Exited, nil
}
