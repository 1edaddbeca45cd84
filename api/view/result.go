// SPDX-License-Identifier: Apache-2.0

package view

import (
	"encoding/base64"
	"math"

	"github.com/ccee-dev/ccee/job"
)

// Result is a job's outcome: the contract's members first, then ours.
type Result struct {
	Status      string  `json:"status"`
	ExitCode    *int    `json:"exitCode"`
	Signal      *string `json:"signal"`
	TimedOut    bool    `json:"timedOut"`
	Stdout      string  `json:"stdout"` // compile's, then run's
	Stderr      string  `json:"stderr"`
	DurationMs  int64   `json:"durationMs"`
	RunnerError string  `json:"runnerError,omitempty"`
	Tails

	Verdict         job.Verdict         `json:"verdict"`
	Evidence        []job.Evidence      `json:"evidence"`
	Usage           Usage               `json:"usage"` // of all steps together
	StdoutTruncated bool                `json:"stdoutTruncated"`
	StderrTruncated bool                `json:"stderrTruncated"`
	StdoutBase64    *string             `json:"stdoutBase64,omitempty"` // the bytes: if asked for, or if the text differs from them
	StderrBase64    *string             `json:"stderrBase64,omitempty"`
	Compile         *Step               `json:"compile"`
	Run             *Step               `json:"run"`
	DeniedSyscalls  []job.DeniedSyscall `json:"deniedSyscalls"` // of all steps
	Tier            string              `json:"tier"`
	Image           *string             `json:"image"`

	OutputFiles *OutputFiles `json:"outputFiles,omitempty"` // if asked for, where the job is shown alone
	Tests       *Tests       `json:"tests,omitempty"`       // where the job had tests
}

// Usage is the resources that a step, or a job, consumed.
type Usage struct {
	WallMs          float64 `json:"wallMs"`
	CPUUserMs       float64 `json:"cpuUserMs"`
	CPUSystemMs     float64 `json:"cpuSystemMs"`
	MemoryPeakBytes int64   `json:"memoryPeakBytes"`
	PidsPeak        int64   `json:"pidsPeak"`
	StdoutBytes     int64   `json:"stdoutBytes"` // written, whether kept or not
	StderrBytes     int64   `json:"stderrBytes"`
}

// Step is the outcome of one step.
type Step struct {
	Verdict         job.Verdict         `json:"verdict"`
	ExitCode        *int                `json:"exitCode"`
	Signal          *string             `json:"signal"`
	Stdout          string              `json:"stdout"`
	Stderr          string              `json:"stderr"`
	StdoutTruncated bool                `json:"stdoutTruncated"`
	StderrTruncated bool                `json:"stderrTruncated"`
	StdoutBase64    *string             `json:"stdoutBase64,omitempty"`
	StderrBase64    *string             `json:"stderrBase64,omitempty"`
	DurationMs      int64               `json:"durationMs"`
	Usage           Usage               `json:"usage"`
	Limits          map[string]int64    `json:"limits"`
	Evidence        []job.Evidence      `json:"evidence"`
	DeniedSyscalls  []job.DeniedSyscall `json:"deniedSyscalls"`
	Message         string              `json:"message,omitempty"`
	Tails
	Interleaving          []job.Chunk `json:"interleaving,omitempty"`
	InterleavingTruncated bool        `json:"interleavingTruncated,omitempty"`
}

// NewResult flattens r to the public contract. coded asks for the output as base64 too.
func NewResult(r *job.Result, coded bool) *Result {
	stdout := joinOutput(r, func(s *job.Step) *job.Output { return &s.Stdout })
	stderr := joinOutput(r, func(s *job.Step) *job.Output { return &s.Stderr })
	v := &Result{
		Status:   string(r.Status),
		ExitCode: r.ExitCode, Signal: Text(r.Signal), TimedOut: r.TimedOut(),
		Stdout: stdout.Text(), Stderr: stderr.Text(),
		DurationMs: wholeMs(r.WallMs),
		Verdict:    r.Verdict, Evidence: []job.Evidence{}, DeniedSyscalls: []job.DeniedSyscall{},
		StdoutTruncated: stdout.Truncated, StderrTruncated: stderr.Truncated,
		StdoutBase64: rawOutput(stdout, coded), StderrBase64: rawOutput(stderr, coded),
		Compile: newStep(r.Step("compile"), coded), Run: newStep(r.Step("run"), coded),
		Tier: r.Tier, Image: Text(r.Image),
		OutputFiles: newOutputFiles(r.OutputFiles, coded), Tests: newTests(r.Tests, coded),
		Tails: newTails(stdout, stderr, coded),
	}
	for s := range r.EveryStep() {
		v.Usage.add(newUsage(s))
		v.DeniedSyscalls = append(v.DeniedSyscalls, s.DeniedSyscalls...)
	}
	v.Usage.WallMs = r.WallMs
	if last := r.Last(); last != nil {
		v.Evidence = append(v.Evidence, last.Evidence...)
		v.RunnerError = last.Message
	}
	return v
}

func newStep(s *job.Step, coded bool) *Step {
	if s == nil {
		return nil
	}
	return &Step{
		Verdict: s.Verdict, ExitCode: s.ExitCode, Signal: Text(s.Signal),
		Stdout: s.Stdout.Text(), Stderr: s.Stderr.Text(),
		StdoutTruncated: s.Stdout.Truncated, StderrTruncated: s.Stderr.Truncated,
		StdoutBase64: rawOutput(s.Stdout, coded), StderrBase64: rawOutput(s.Stderr, coded),
		DurationMs:     wholeMs(s.Usage.WallMs),
		Usage:          newUsage(s),
		Limits:         Limits(s.Limits),
		Evidence:       append([]job.Evidence{}, s.Evidence...),
		DeniedSyscalls: append([]job.DeniedSyscall{}, s.DeniedSyscalls...),
		Message:        s.Message,
		Tails:          newTails(s.Stdout, s.Stderr, coded), Interleaving: s.Interleaving, InterleavingTruncated: s.InterleavingTruncated,
	}
}

func newUsage(s *job.Step) Usage {
	return Usage{
		WallMs: s.Usage.WallMs, CPUUserMs: s.Usage.CPUUserMs, CPUSystemMs: s.Usage.CPUSystemMs,
		MemoryPeakBytes: s.Usage.MemoryPeakBytes, PidsPeak: s.Usage.PidsPeak,
		StdoutBytes: s.Stdout.Bytes, StderrBytes: s.Stderr.Bytes,
	}
}

// add counts a further step in: its times and bytes add up, peaks don't.
func (u *Usage) add(s Usage) {
	u.WallMs += s.WallMs
	u.CPUUserMs += s.CPUUserMs
	u.CPUSystemMs += s.CPUSystemMs
	u.MemoryPeakBytes = max(u.MemoryPeakBytes, s.MemoryPeakBytes)
	u.PidsPeak = max(u.PidsPeak, s.PidsPeak)
	u.StdoutBytes += s.StdoutBytes
	u.StderrBytes += s.StderrBytes
}

// joinOutput returns one stream of all steps, one after the other, cut to the size that a single step may keep.
func joinOutput(r *job.Result, of func(*job.Step) *job.Output) job.Output {
	var all job.Output
	keep, tail := 0, 0
	for i := range r.Steps {
		s, out := &r.Steps[i], of(&r.Steps[i])
		keep = max(keep, int(s.Limits.OutputBytes), len(out.Data)+len(out.Tail))
		tail = max(tail, int(s.Limits.OutputTailBytes), len(out.Tail))
		joinTail(&all, out)
		all.Bytes += out.Bytes
		all.Truncated = all.Truncated || out.Truncated
	}
	all.Tail = all.Tail[max(0, len(all.Tail)-tail):]
	if over := len(all.Data) + len(all.Tail) - keep; over > 0 {
		all.Data, all.Truncated = all.Data[:len(all.Data)-over], true
	}
	return all
}

// rawOutput returns the bytes of o in base64 if they were asked for or if the text differs from them.
func rawOutput(o job.Output, coded bool) *string {
	if !coded && o.Text() == string(o.Data) {
		return nil
	}
	return encoded(o.Data)
}

func encoded(b []byte) *string {
	text := base64.StdEncoding.EncodeToString(b)
	return &text
}

// wholeMs rounds to the whole milliseconds that the contract has.
func wholeMs(ms float64) int64 { return int64(math.Round(ms)) }

// Text is s, null for the empty string.
func Text(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}
