// SPDX-License-Identifier: Apache-2.0

package job

// Category is whose failure a finished job is, in one word.
type Category string

// The categories. openapi.yaml explains them to users.
const (
	NoFailure      Category = "none"           // it succeeded, or the caller cancelled it
	Timeout        Category = "timeout"        // a limit of wall or CPU time ended it
	UserCode       Category = "user_code"      // the compiler refused it, it didn't catch an error of its own, or a test found it wrong
	AtRuntime      Category = "runtime"        // it failed in another way
	Infrastructure Category = "infrastructure" // the service did
)

// Category returns whose failure r is, by the stage and the evidence. language is the name of the program's language.
func (r *Result) Category(language string) Category {
	last := r.Last()
	switch {
	case r.Status != Failed:
		return NoFailure
	case r.Verdict == Internal, r.Verdict == StartFailed:
		return Infrastructure
	case r.TimedOut():
		return Timeout
	case last != nil && last.Name == "compile" && !last.OK(), r.Verdict == WrongAnswer, r.Verdict == CheckerFailed:
		return UserCode
	case uncaught(language, r.failed()):
		return UserCode
	}
	return AtRuntime
}

// failed is the run step that made the job fail, or nil.
func (r *Result) failed() *Step {
	if r.Tests != nil {
		if _, t := r.Tests.Failed(); t != nil {
			return t.Run
		}
		return nil
	}
	return r.Step("run")
}
