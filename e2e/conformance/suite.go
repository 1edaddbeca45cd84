// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"
)

// unit is a part of a suite that is run at once: a module, a batch of files.
type unit struct {
	name string
	// run runs those tests of the unit that only names, or all if it names none.
	run func(ctx context.Context, at place, only []string) (results, error)
}

// suite is a set of tests, and the two places where they are run.
type suite struct {
	name            string // of its list in expected/
	title, source   string // for the table
	inside, outside place
	units           []unit
	expected        []expectedLine
	until           time.Time // no unit is begun later; zero: all are
	mustPass        bool      // a test that fails in both places is wrong too: its answer comes from us, not from the suite's owners
}

// comparison is what came out.
type comparison struct {
	suite           *suite
	inside, outside results
	differences     []difference // by name
	unsteady        []string     // differed at first, and agreed when they were run again
	left            []string     // units that were not begun in time
}

// difference is a test that ends in one way inside and in another outside.
type difference struct {
	test            string
	inside, outside outcome
}

func (d difference) String() string {
	return fmt.Sprintf("%s: inside %s (%s), outside %s (%s)", d.test, d.inside.State, d.inside.Detail, d.outside.State, d.outside.Detail)
}

// again is how often tests that differ are run anew: what a loaded machine or chance did is told from what the jail does.
const again = 2

// compare runs the units in both places, some at once.
func (s *suite) compare(ctx context.Context, workers int, progress io.Writer) (*comparison, error) {
	c := &comparison{suite: s, inside: results{}, outside: results{}}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	todo := make(chan unit)
	var mu sync.Mutex // guards c and progress
	var wg sync.WaitGroup
	for range workers {
		wg.Go(func() {
			for u := range todo {
				begun := time.Now()
				in, out, unsteady, err := s.both(ctx, u)
				if err != nil {
					cancel(fmt.Errorf("%s: %s: %w", s.name, u.name, err))
					continue
				}
				mu.Lock()
				maps.Copy(c.inside, in)
				maps.Copy(c.outside, out)
				c.unsteady = append(c.unsteady, unsteady...)
				fmt.Fprintf(progress, "%s %s: %d of %d pass inside, %d of %d outside, %d differ, %.1f s\n", s.name, u.name,
					in.count(pass), len(in), out.count(pass), len(out), len(differences(in, out)), time.Since(begun).Seconds())
				mu.Unlock()
			}
		})
	}
	for _, u := range s.units {
		if ctx.Err() != nil || !s.until.IsZero() && time.Now().After(s.until) {
			c.left = append(c.left, u.name)
			continue
		}
		todo <- u
	}
	close(todo)
	wg.Wait()
	c.differences = differences(c.inside, c.outside)
	slices.Sort(c.unsteady)
	return c, context.Cause(ctx)
}

// both runs one unit in both places, and once more what differs and is not expected to.
func (s *suite) both(ctx context.Context, u unit) (in, out results, unsteady []string, err error) {
	if out, err = u.run(ctx, s.outside, nil); err != nil {
		return nil, nil, nil, err
	}
	if in, err = u.run(ctx, s.inside, nil); err != nil {
		return nil, nil, nil, err
	}
	for range again {
		differ := slices.DeleteFunc(differences(in, out), func(d difference) bool { return lineOf(s.expected, d.test) >= 0 })
		if len(differ) == 0 || in[u.name+" (module)"].Detail == gaveUp {
			break
		}
		var only []string
		for _, d := range differ {
			if only = append(only, d.test); strings.HasSuffix(d.test, " (module)") {
				only = nil
				break
			}
		}
		out2, err := u.run(ctx, s.outside, only)
		if err != nil {
			return nil, nil, nil, err
		}
		in2, err := u.run(ctx, s.inside, only)
		if err != nil {
			return nil, nil, nil, err
		}
		for _, d := range differ {
			if in2.state(d.test) == out2.state(d.test) {
				unsteady = append(unsteady, d.test)
				agree(d.test, in, in2)
				agree(d.test, out, out2)
			}
		}
	}
	return in, out, unsteady, nil
}

// agree takes a test's outcome from the later run.
func agree(test string, r, later results) {
	if o, ok := later[test]; ok {
		r[test] = o
	} else {
		delete(r, test)
	}
}

// state is missing for a test that is not there.
func (r results) state(test string) state {
	if o, ok := r[test]; ok {
		return o.State
	}
	return missing
}

// differences lists the tests whose states are not the same, by name.
func differences(in, out results) []difference {
	var list []difference
	all := maps.Clone(in)
	maps.Copy(all, out)
	for _, test := range all.tests() {
		if in.state(test) != out.state(test) {
			d := difference{test, in[test], out[test]}
			d.inside.State, d.outside.State = in.state(test), out.state(test)
			list = append(list, d)
		}
	}
	return list
}
