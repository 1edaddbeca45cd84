// SPDX-License-Identifier: Apache-2.0

package load

import (
	"context"
	"crypto/rand"

	"github.com/ccee-dev/ccee/job"
)

// Runner runs one job and returns its result: a client of a daemon.
type Runner interface {
	Run(ctx context.Context, spec job.Spec) (job.Result, error)
}

// Languages are those with a Program, in the order of reports.
var Languages = []string{"python", "javascript", "java"}

// Program returns the source of a hello in a language, "" where there is none.
func Program(language string) string {
	switch language {
	case "python":
		return `print("hello")`
	case "javascript":
		return `console.log("hello")`
	case "java":
		return `class Main { public static void main(String[] a) { System.out.println("hello"); } }`
	}
	return ""
}

// Spec returns the job that runs source with at most one core.
func Spec(language, source string) job.Spec {
	return withNewID(job.Spec{Language: language, Source: source, Run: job.Limits{CPUMillicores: 1000}})
}

// withNewID returns the spec as a job of its own.
func withNewID(spec job.Spec) job.Spec {
	spec.ID = "bench-" + rand.Text()
	return spec
}
