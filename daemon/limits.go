package daemon

import "github.com/ccee-dev/ccee/job"

// stepLimits are the limits in force of the two steps of a job. Each field comes from the request, else from the language,
// else from the server's default; only what the request asks for is held against the bounds, since the rest is ours.
func stepLimits(spec *job.Spec, lang *job.Language) (compile, run job.Limits, err error) {
	if err := spec.Compile.Check("compile", lang.MinCompile, job.MaxLimits); err != nil {
		return compile, run, err
	}
	if err := spec.Run.Check("run", lang.MinRun, job.MaxLimits); err != nil {
		return compile, run, err
	}
	compile = spec.Compile.Effective(lang.DefaultCompile, job.DefaultCompile)
	run = spec.Run.Effective(lang.DefaultRun, job.DefaultRun)
	if err := compile.CheckTail("compile"); err != nil {
		return compile, run, err
	}
	return compile, run, run.CheckTail("run")
}

// need is what a job takes out of the budgets while it runs: the larger of its steps, which never run together.
type need struct {
	tenant     string
	memory     int64 // bytes
	millicores int64
	pids       int64 // processes and threads, sandbox-init with them
}
