// SPDX-License-Identifier: Apache-2.0

package worker

import (
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/ccee-dev/ccee/job"
)

// errOverdue is the cause of a job that is stopped because its backend should have ended it long ago: the backend hangs.
var errOverdue = errors.New("the backend did not end the job in the time of all its limits")

// How much longer than its time limits a job may take in a backend that is well but busy.
const (
	runGrace         = 30 * time.Second // for unpacking an image, and on the way
	stepGrace        = 2 * time.Second  // for the sandbox of one step, and its end
	longestQueueWait = 10 * time.Minute // for a place, where the backend does not tell how long a job may wait
)

// timeAllowed returns how long the backend may have the job before the worker gives it up.
func (w *Worker) timeAllowed(spec *job.Spec) time.Duration {
	now := w.backend.current()
	total := w.opts.grace + now.queueWait
	for _, wall := range wallLimits(spec, now.languages) {
		total += wall + stepGrace
	}
	return total * time.Duration(now.runs)
}

// wallLimits returns the time limit of each step of a job: what it asks for, or else the default. A language may ask for a minimum.
func wallLimits(spec *job.Spec, languages []job.Language) (all []time.Duration) {
	add := func(asked, byLanguage, byDefault, least job.Limits) {
		wall := max(asked.Fill(byLanguage).Fill(byDefault).WallMs, least.WallMs)
		all = append(all, time.Duration(wall)*time.Millisecond)
	}
	compile := func(l job.Language, asked job.Limits) {
		if len(l.Compile) > 0 {
			add(asked, l.DefaultCompile, job.DefaultCompile, l.MinCompile)
		}
	}
	run := func(l job.Language, asked job.Limits) { add(asked, l.DefaultRun, job.DefaultRun, l.MinRun) }

	own := named(languages, spec.Language)
	compile(own, spec.Compile)
	if spec.Tests == nil {
		run(own, spec.Run)
		return all
	}
	checker := spec.Tests.Checker
	if checker != nil {
		compile(named(languages, checker.Language), job.Limits{})
	}
	for _, t := range spec.Tests.List {
		run(own, t.Run.Fill(spec.Run))
		if checker != nil {
			run(named(languages, checker.Language), checker.Run)
		}
	}
	return all
}

// named returns the language of that name or alias; one that is not there has the defaults of all, and may have a compile step.
func named(languages []job.Language, name string) job.Language {
	same := func(s string) bool { return strings.EqualFold(s, name) }
	if i := slices.IndexFunc(languages, func(l job.Language) bool { return same(l.Name) || slices.ContainsFunc(l.Aliases, same) }); i >= 0 {
		return languages[i]
	}
	return job.Language{Compile: []string{"unknown"}}
}
