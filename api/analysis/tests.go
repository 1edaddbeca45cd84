// SPDX-License-Identifier: Apache-2.0

package analysis

import (
	"fmt"
	"strings"

	"github.com/ccee-dev/ccee/job"
)

// tested is judged for a job whose program was run for tests.
func tested(in Input) Analysis {
	r := in.Result
	number, t := r.Tests.Failed()
	switch {
	case r.Status == job.Succeeded:
		return Analysis{Summary: "Execution succeeded", Confidence: high, Explanation: fmt.Sprintf("All %d tests passed in %.0f ms.", r.Tests.Total, r.WallMs)}
	case t == nil: // cancelled before one was
		return judgedBy(in, nil)
	}
	where := fmt.Sprintf("Test %d of %d, the first that did not pass (%d passed): ", number, r.Tests.Total, r.Tests.Passed)
	switch t.Verdict {
	case job.WrongAnswer:
		return Analysis{Summary: "Execution gave a wrong answer", Confidence: high, Explanation: where + sentence(t.Message),
			Suggestions: []string{"Run the program by hand with the input of that test, and compare."}}
	case job.CheckerFailed:
		return Analysis{Summary: "The checker failed", Confidence: high, Explanation: where + "the checker ended with " + ending(t.Checker) + ", which means neither right nor wrong.",
			Suggestions: []string{"Let the checker end with 0 for right and 1 for wrong, and see its stderr in the test's result."}}
	}
	a := judgedBy(in, t.Run)
	a.Explanation = where + a.Explanation
	return a
}

// sentence is the fault that the comparison found, as a sentence.
func sentence(message string) string {
	if message = strings.TrimSpace(message); message == "" {
		return "the output is not the right one."
	}
	return message + "."
}
