// SPDX-License-Identifier: Apache-2.0

package analysis

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/ccee-dev/ccee/job"
)

// Input is all that is known about a job.
type Input struct {
	Status        string // as the API shows it
	Language      string
	Source        string
	TimeoutMs     int64
	MemoryMb      int64
	CPUMillicores int64
	Result        *job.Result // nil: none, or none yet
	Error         string      // a fault of the service, in words for the tenant
}

// Analysis is the explanation of a job's end.
type Analysis struct {
	Summary     string   `json:"summary"`
	Explanation string   `json:"explanation"`
	Suggestions []string `json:"suggestions"` // at most MaxSuggestions
	Confidence  string   `json:"confidence"`  // low, medium or high
	GeneratedAt string   `json:"generatedAt"` // ISO 8601
}

// MaxSuggestions bounds the suggestions.
const MaxSuggestions = 5

// The confidences.
const (
	low, medium, high = "low", "medium", "high"
)

// endless are loops that only a break leaves.
var endless = regexp.MustCompile(`while\s*\(\s*true\s*\)|for\s*\(\s*;\s*;\s*\)|while True:`)

// Heuristic explains a job by rules. It is pure; the caller sets GeneratedAt.
func Heuristic(in Input) Analysis {
	switch {
	case in.Result == nil && !final(in.Status):
		return Analysis{Summary: "Execution in progress", Explanation: fmt.Sprintf("The job is %s. There is no result yet.", in.Status), Confidence: high,
			Suggestions: []string{"Keep polling the job, wait for it, or follow its events.", "If jobs wait for long, look at the queue and add workers."}}
	case in.Result == nil && in.Status == "cancelled":
		return Analysis{Summary: "Execution was cancelled", Explanation: "The job was cancelled before it had a result.", Confidence: high,
			Suggestions: []string{"Submit it again, or rerun it, if the result is still wanted."}}
	case in.Result == nil:
		return Analysis{Summary: "Execution metadata missing", Explanation: "The job ended without a result: " + orUnknown(in.Error) + ".", Confidence: low,
			Suggestions: []string{"Look at the logs of worker and daemon.", "Leave retries on: such failures are ours and often pass."}}
	}
	a := judged(in)
	a.Suggestions = append(family(in.Language), a.Suggestions...)
	if n := len(a.Suggestions); n > MaxSuggestions { // the specific ones are at the end
		a.Suggestions = a.Suggestions[n-MaxSuggestions:]
	}
	return a
}

func final(status string) bool {
	switch status {
	case "queued", "running", "retrying", "dispatched":
		return false
	}
	return true
}

func orUnknown(s string) string {
	if s == "" {
		return "its cause was not recorded"
	}
	return s
}

// family are the suggestions for every job of a language.
func family(language string) []string {
	switch language {
	case "java":
		return []string{"Keep the entry class named Main.", "Catch exceptions where they can be explained, with clear messages."}
	case "python":
		return []string{"Start the program under an if __name__ == \"__main__\" guard.", "Handle exceptions where they can be explained."}
	}
	return []string{"Check the input early.", "Keep functions small and free of side effects."}
}

// judged explains the verdict and its evidence.
func judged(in Input) Analysis {
	r := in.Result
	if r.Tests != nil && (r.Last() == nil || r.Last().OK()) {
		return tested(in)
	}
	return judgedBy(in, r.Last())
}

// judgedBy explains the end of one step; nil is none.
func judgedBy(in Input, last *job.Step) Analysis {
	r := in.Result
	if last == nil {
		last = &job.Step{Name: "run", Verdict: r.Verdict}
	}
	switch {
	case r.Status == job.Succeeded:
		return succeeded(in, last)
	case r.TimedOut():
		return timedOut(in, last)
	}
	if a, ok := byVerdict(in, last); ok {
		return a
	}
	stderr := string(last.Stderr.Data) + string(last.Stderr.Tail)
	switch {
	case r.Category(in.Language) == job.UserCode:
		where := "The program ended with " + ending(last) + ", by an error that it did not catch."
		switch last.Name {
		case "compile":
			where = "The compiler refused the program: it ended with " + ending(last) + ", and nothing was run."
		case "checker":
			where = "The compiler refused the checker: it ended with " + ending(last) + ", and nothing was run."
		}
		return Analysis{Summary: "Execution failed due to code error", Confidence: high, Explanation: where + lastLine(stderr),
			Suggestions: []string{"Fix the error that stderr shows, and run it again."}}
	case in.Error != "":
		return Analysis{Summary: "Execution failed", Confidence: medium, Explanation: "The job failed: " + in.Error + ".",
			Suggestions: []string{"Treat it as a failure of the infrastructure, and retry."}}
	}
	return Analysis{Summary: "Execution failed", Confidence: low, Explanation: "The program ended with " + ending(last) + "." + lastLine(stderr)}
}

func succeeded(in Input, last *job.Step) Analysis {
	a := Analysis{Summary: "Execution succeeded", Confidence: high,
		Explanation: fmt.Sprintf("The program ended with exit code 0 after %.0f ms, with a peak of %s of %d MiB of memory.", in.Result.WallMs, mib(last.Usage.MemoryPeakBytes), in.MemoryMb)}
	if strings.TrimSpace(string(last.Stdout.Data)) == "" {
		a.Suggestions = append(a.Suggestions, "Print structured output, so that a result can be seen.")
	}
	if last.Stdout.Truncated || last.Stderr.Truncated {
		a.Suggestions = append(a.Suggestions, "Print less, or raise outputBytes: a part of the output was left out.")
	}
	if denied(last) != "" {
		a.Suggestions = append(a.Suggestions, "It went on after refused system calls ("+denied(last)+"): see that it did not need them.")
	}
	lines := 0
	for line := range strings.Lines(in.Source) {
		if strings.TrimSpace(line) != "" {
			lines++
		}
	}
	if lines > 120 {
		a.Suggestions = append(a.Suggestions, "Split the program into modules.")
	}
	return a
}

func timedOut(in Input, last *job.Step) Analysis {
	a := Analysis{Summary: "Execution timed out", Confidence: high}
	used := last.Usage.CPUUserMs + last.Usage.CPUSystemMs
	switch {
	case last.Verdict == job.CPUTime:
		a.Explanation = fmt.Sprintf("The %s step used up its CPU time of %d ms.", last.Name, last.Limits.CPUMs)
	case last.Starved() > 0:
		a.Explanation = fmt.Sprintf("The %s step was killed at its deadline of %d ms. For %d ms it was ready to run and the server, busy with other things, had no CPU time for it.",
			last.Name, limit(in, last), last.Starved())
		a.Suggestions = append(a.Suggestions, "Run it again: on a server that is less busy it may end in time.")
	case used < last.Usage.WallMs/10:
		a.Explanation = fmt.Sprintf("The %s step was killed at its deadline of %d ms. It had used only %.0f ms of CPU: it waited for something.", last.Name, limit(in, last), used)
		a.Suggestions = append(a.Suggestions, "See what it waits for: input that does not come, a lock, a sleep, or the network, which there is none of.")
	default:
		a.Explanation = fmt.Sprintf("The %s step was killed at its deadline of %d ms, of which it had computed for %.0f ms.", last.Name, limit(in, last), used)
	}
	if endless.MatchString(in.Source) {
		a.Suggestions = append(a.Suggestions, "Avoid unbounded loops: see that each has a way out.")
	}
	a.Suggestions = append(a.Suggestions, fmt.Sprintf("The timeout is %d ms now: raise it if the work needs longer.", limit(in, last)))
	return a
}

func limit(in Input, last *job.Step) int64 {
	if last.Limits.WallMs > 0 {
		return last.Limits.WallMs
	}
	return in.TimeoutMs
}

// byVerdict explains a verdict that only the kernel's evidence can prove; ok is false for the others.
func byVerdict(in Input, last *job.Step) (a Analysis, ok bool) {
	a.Confidence = high
	switch last.Verdict {
	case job.OOMKilled:
		a.Summary = "Execution ran out of memory"
		a.Explanation = fmt.Sprintf("The kernel killed the %s step when it needed more than its %s of memory%s.", last.Name, mib(last.Limits.MemoryBytes), evidence(last))
		a.Suggestions = []string{"Use less memory at a time: read and work in pieces.", fmt.Sprintf("Raise memoryMb, which is %d, if it needs more.", in.MemoryMb)}
	case job.OutputLimit:
		a.Summary = "Execution flooded its output"
		a.Explanation = fmt.Sprintf("The %s step was killed after it had written %d bytes to stdout and %d to stderr.", last.Name, last.Stdout.Bytes, last.Stderr.Bytes)
		a.Suggestions = []string{"Print less; write large results to a file and ask for it with outputFiles.", "See that it does not print in an endless loop."}
	case job.PidsLimit:
		a.Summary = "Execution was refused more processes"
		a.Explanation = fmt.Sprintf("The %s step failed after a process or thread beyond its %d was refused%s.", last.Name, last.Limits.PidsMax, evidence(last))
		a.Suggestions = []string{"Start fewer processes and threads at a time, and wait for them.", "Raise pids in run, if it needs more."}
	case job.FileSize:
		a.Summary = "Execution wrote too large a file"
		a.Explanation = fmt.Sprintf("The %s step was ended (SIGXFSZ) when a file grew beyond %d bytes.", last.Name, last.Limits.FileSizeBytes)
		a.Suggestions = []string{"Write smaller files, or raise fileSizeBytes in run."}
	case job.BadSyscall:
		a.Summary = "Execution made a forbidden system call"
		a.Explanation = fmt.Sprintf("The %s step was killed for a system call that the policy forbids: %s.", last.Name, denied(last))
		a.Suggestions = []string{"Do without it: mounting, tracing, loading of kernel code and the like are not for jobs."}
	case job.StartFailed, job.Internal:
		a.Summary, a.Confidence = "Execution could not be started", medium
		a.Explanation = "The sandbox could not start the program: " + orUnknown(last.Message) + "."
		a.Suggestions = []string{"Treat it as a failure of the infrastructure, and retry; operators find the cause in the daemon's log."}
	case job.VerdictCancelled:
		a.Summary = "Execution was cancelled"
		a.Explanation = fmt.Sprintf("The job was cancelled after %.0f ms; the output until then was kept.", in.Result.WallMs)
		a.Suggestions = []string{"Rerun it if the result is still wanted."}
	case job.Signaled:
		a.Summary = "Execution crashed"
		a.Explanation = fmt.Sprintf("A signal of the program's own doing ended the %s step: %s.", last.Name, last.Signal)
		a.Suggestions = []string{crash(last.Signal)}
	default:
		return a, false
	}
	return a, true
}

// crash suggests where to look for the cause of a signal.
func crash(signal string) string {
	switch signal {
	case "SIGSEGV", "SIGBUS":
		return "Look for a bad pointer, a use after free, or a recursion without end (the stack is bounded: stackBytes)."
	case "SIGABRT":
		return "It gave up by itself: look at stderr for an assertion or an uncaught exception."
	case "SIGFPE":
		return "Look for a division by zero."
	case "SIGILL":
		return "Look for code of another CPU, or a trap that a compiler puts where code can't be reached."
	}
	return "Look for who sends this signal: the program itself, or one that it started."
}

func ending(s *job.Step) string {
	switch {
	case s.ExitCode != nil:
		return fmt.Sprintf("exit code %d", *s.ExitCode)
	case s.Signal != "":
		return s.Signal
	}
	return string(s.Verdict)
}

// evidence is the kernel's own count, in words.
func evidence(s *job.Step) string {
	if len(s.Evidence) == 0 {
		return ""
	}
	e := s.Evidence[0]
	return fmt.Sprintf(" (%s: %d)", e.Source, e.Value)
}

// denied names the refused system calls.
func denied(s *job.Step) string {
	var names []string
	for _, d := range s.DeniedSyscalls {
		names = append(names, d.Name)
	}
	return strings.Join(names, ", ")
}

// lastLine quotes the last line of stderr that is not blank, bounded: it says most.
func lastLine(stderr string) string {
	lines := strings.Split(strings.TrimSpace(strings.ToValidUTF8(stderr, "\ufffd")), "\n")
	line := strings.TrimSpace(lines[len(lines)-1])
	if line == "" {
		return " It wrote nothing to stderr."
	}
	if r := []rune(line); len(r) > 200 {
		line = string(r[:200]) + "…"
	}
	return " The last line of stderr: " + line
}

func mib(bytes int64) string { return fmt.Sprintf("%.0f MiB", float64(bytes)/job.MiB) }
