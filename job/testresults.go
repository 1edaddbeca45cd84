// SPDX-License-Identifier: Apache-2.0

package job

import (
	"iter"
	"slices"
)

// The verdicts of a test that are not those of a program's end.
const (
	Accepted      Verdict = "accepted"       // it passed
	WrongAnswer   Verdict = "wrong_answer"   // the program ended as it should, and its output or exit code is not the right one
	CheckerFailed Verdict = "checker_failed" // the checker did not decide whether the output is right
	NotRun        Verdict = "skipped"        // it was left out
)

// TestResults are the outcomes of a job's tests, in their order. The job's own verdict is that of the first test that did not pass.
type TestResults struct {
	Total  int          `json:"total"`
	Passed int          `json:"passed"`
	List   []TestResult `json:"list,omitempty"`
}

// TestResult is the outcome of one test.
type TestResult struct {
	Name    string  `json:"name,omitempty"`
	Verdict Verdict `json:"verdict"`           // Accepted, another of the above, or how the program ended
	Message string  `json:"message,omitempty"` // the fault, in words
	Run     *Step   `json:"run,omitempty"`     // nil when it was skipped; its output is cut, so that all find room in an answer
	Checker *Step   `json:"checker,omitempty"` // when it failed
}

// Passed reports whether the test did.
func (t *TestResult) Passed() bool { return t.Verdict == Accepted }

// Failed returns the number, from 1, and the result of the first test that was run and did not pass; 0 if there is none.
func (r *TestResults) Failed() (number int, t *TestResult) {
	if r == nil {
		return 0, nil
	}
	for i := range r.List {
		if t := &r.List[i]; !t.Passed() && t.Run != nil {
			return i + 1, t
		}
	}
	return 0, nil
}

// Compact is r with outputs whose JSON has each byte once: see Output.BytesOnly. It is for storing, and shares the bytes with r.
func (r Result) Compact() Result {
	r.Steps = slices.Clone(r.Steps)
	if r.Tests != nil {
		t := *r.Tests
		t.List = slices.Clone(t.List)
		for i := range t.List {
			for _, s := range []**Step{&t.List[i].Run, &t.List[i].Checker} {
				if *s != nil {
					own := **s
					*s = &own
				}
			}
		}
		r.Tests = &t
	}
	for s := range r.EveryStep() {
		s.Stdout.BytesOnly, s.Stderr.BytesOnly = true, true
	}
	return r
}

// EveryStep goes through the steps of the job and those of its tests.
func (r *Result) EveryStep() iter.Seq[*Step] {
	return func(yield func(*Step) bool) {
		for i := range r.Steps {
			if !yield(&r.Steps[i]) {
				return
			}
		}
		if r.Tests == nil {
			return
		}
		for i := range r.Tests.List {
			for _, s := range []*Step{r.Tests.List[i].Run, r.Tests.List[i].Checker} {
				if s != nil && !yield(s) {
					return
				}
			}
		}
	}
}
