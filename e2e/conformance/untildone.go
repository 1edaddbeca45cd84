// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
)

// maxLate is how many tests of a unit may take all of the time that a step has.
const maxLate = 4

// gaveUp is the detail of a unit that had more of them.
const gaveUp = "the rest was not tried: too many tests took all of the time"

// untilDone runs a program that reports its tests line by line until each has an outcome. A step has a minute, and some tests take
// longer or end their process: then the rest is run in another process, without the test that was under way unless it had only part of
// the time. make makes the program for those tests that have no outcome yet. Where one test after the other takes all of the time, what
// is left is not tried.
func untilDone(ctx context.Context, at place, name string, make func(results) (program, error)) (results, error) {
	r := results{}
	retried, late := "", 0
	for {
		p, err := make(r)
		if err != nil {
			return nil, err
		}
		before := len(r)
		out, err := at.run(ctx, p)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		begun, done, err := r.readLines(out.report)
		switch {
		case err != nil:
			return nil, fmt.Errorf("%s: %w", name, err)
		case done:
			return r, nil
		case begun == "" && len(r) == before: // it died before, between or after its tests
			r[name+" (module)"] = outcome{died, out.end + ": " + clip(lastLine(out.stderr))}
			return r, nil
		case begun == "":
		case out.end == "timeout" && len(r) > before && begun != retried:
			retried = begun // once more, with all of the time
		default:
			r[begun] = outcome{died, out.end}
			if out.end != "timeout" {
				continue
			}
			if late++; late == maxLate {
				r[name+" (module)"] = outcome{died, gaveUp}
				return r, nil
			}
		}
	}
}

// tests lists the names.
func (r results) tests() []string {
	names := make([]string, 0, len(r))
	for n := range r {
		names = append(names, n)
	}
	slices.Sort(names)
	return names
}

func lastLine(s string) string {
	lines := strings.Split(strings.TrimSpace(s), "\n")
	return lines[len(lines)-1]
}
