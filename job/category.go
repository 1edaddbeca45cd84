package job

// Category says in one word whose failure a finished job is.
type Category string

// The categories. openapi.yaml says to users what each means.
const (
	NoFailure      Category = "none"           // it succeeded, or the caller took it back
	Timeout        Category = "timeout"        // a limit of wall or CPU time ended it
	UserCode       Category = "user_code"      // the compiler refused it, it didn't catch an error of its own, or a test found it wrong
	AtRuntime      Category = "runtime"        // it failed in another way
	Infrastructure Category = "infrastructure" // the service did
)

// Category says whose failure r is, by the stage and the evidence. language is the name of the one that the program is in.
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
