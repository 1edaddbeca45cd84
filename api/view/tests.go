// SPDX-License-Identifier: Apache-2.0

package view

import "github.com/ccee-dev/ccee/job"

// Tests are the outcomes of a job's tests.
type Tests struct {
	Total  int    `json:"total"`
	Passed int    `json:"passed"`
	Items  []Test `json:"items,omitempty"` // in their order; not in a summary
}

// Test is the outcome of one test.
type Test struct {
	Number  int         `json:"number"` // from 1
	Name    string      `json:"name"`
	Passed  bool        `json:"passed"`
	Verdict job.Verdict `json:"verdict"`
	Message string      `json:"message"`
	Run     *Step       `json:"run"`     // null when it was left out
	Checker *Step       `json:"checker"` // null unless it failed
}

func newTests(r *job.TestResults, coded bool) *Tests {
	if r == nil {
		return nil
	}
	v := &Tests{Total: r.Total, Passed: r.Passed}
	for i := range r.List {
		t := &r.List[i]
		v.Items = append(v.Items, Test{
			Number: i + 1, Name: t.Name, Passed: t.Passed(), Verdict: t.Verdict, Message: t.Message,
			Run: newStep(t.Run, coded), Checker: newStep(t.Checker, coded),
		})
	}
	return v
}
