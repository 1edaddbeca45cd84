// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"strings"

	"github.com/ccee-dev/ccee/job"
)

// explain adds to the exit code and the output how the program ended, in a line or two; "" when they say all.
func explain(r *job.Result) string {
	s := r.Last()
	if s == nil {
		return ""
	}
	var lines []string
	if end := explainVerdict(r.Verdict, s); end != "" {
		lines = append(lines, s.Name+" "+end)
	}
	for _, o := range []struct {
		name string
		job.Output
	}{{"stdout", s.Stdout}, {"stderr", s.Stderr}} {
		if len(o.Tail) > 0 {
			lines = append(lines, fmt.Sprintf("%s: %d of %d bytes left out after the first %d (--output, --output-tail)", o.name, o.Omitted(), o.Bytes, len(o.Data)))
		} else if o.Truncated {
			lines = append(lines, fmt.Sprintf("%s cut after %d of %d bytes (--output)", o.name, len(o.Data), o.Bytes))
		}
	}
	return strings.Join(lines, "\nccee: ")
}

func explainVerdict(v job.Verdict, s *job.Step) string {
	switch v {
	case job.WallTime:
		return "killed: it ran longer than " + limitOf(s, "time")
	case job.CPUTime:
		return "killed: it used more CPU time than " + limitOf(s, "cpu-time")
	case job.OOMKilled:
		return "killed: it needed more memory than " + limitOf(s, "memory")
	case job.OutputLimit:
		return "killed: it wrote more than " + limitOf(s, "flood")
	case job.PidsLimit:
		return "failed after it tried to have more processes than " + limitOf(s, "pids")
	case job.FileSize:
		return "killed: it wrote a file larger than " + limitOf(s, "file-size")
	case job.BadSyscall:
		return "killed: it made a system call that the policy forbids"
	case job.Signaled:
		return "ended by " + s.Signal
	case job.StartFailed, job.Internal:
		return "not run: " + s.Message
	}
	return ""
}

// limitOf names a limit of the step and the flag that changes it: "3s (--time)".
func limitOf(s *job.Step, name string) string {
	for _, r := range limitRows() {
		if r.name != name {
			continue
		}
		flag := "--" + name
		if s.Name == "compile" && r.compile {
			flag = "--compile-" + name
		}
		return fmt.Sprintf("%s (%s)", r.unit.format(*r.at(&s.Limits)), flag)
	}
	return "allowed"
}
