// SPDX-License-Identifier: Apache-2.0

package plan

import "github.com/ccee-dev/ccee/job"

// stepLimits are the effective limits of a job's two steps. Each field comes from the request, else from the language,
// else from the server's defaults. Only the request's values are checked against the bounds, since the others are ours.
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
