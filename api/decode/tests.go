// SPDX-License-Identifier: Apache-2.0

package decode

import (
	"fmt"
	"slices"
	"strconv"

	"github.com/ccee-dev/ccee/job"
)

// comparisons are the modes of compare.
var comparisons = []string{string(job.Exact), string(job.Trimmed), string(job.Tokens), string(job.Floats)}

// tests reads the members about tests: tests, compare, checker and stopOnFailure. run are the limits of a
// test that has none of its own.
func (o *object) tests(lang job.Language, known []job.Language, run job.Limits) *job.Tests {
	if _, there := o.members["tests"]; !there {
		for _, name := range []string{"compare", "checker", "stopOnFailure"} {
			if _, there := o.members[name]; there {
				o.wrong(name, "Give it together with tests")
			}
		}
		return nil
	}
	t := &job.Tests{Compare: o.compare(), Checker: o.checker(known), StopOnFailure: o.flag("stopOnFailure")}
	for i, raw := range o.list("tests", job.MaxTests) {
		if k := kind(raw); k != "object" {
			o.wrong("tests", fmt.Sprintf("[%d]: %s", i, msgType("object", k)))
			continue
		}
		t.List = append(t.List, o.element("tests", i, raw).test(lang))
	}
	if !o.iss.Any() {
		o.note(t.CheckTime(run))
	}
	return t
}

// test reads one element of tests.
func (o *object) test(lang job.Language) job.Test {
	o.only("name", "stdin", "stdinBase64", "args", "expectedOutput", "expectedOutputBase64", "exitCode", "run")
	t := job.Test{Stdin: o.stdin(), Args: o.strings("args", job.MaxArgs), Run: o.object("run").readLimits(lang.MinRun)}
	t.Name, _ = o.text("name")
	if code, ok := o.integer("exitCode", Range{0, 255}); ok {
		t.ExitCode = int(code)
	}
	expected, there := o.text("expectedOutput")
	coded, also := o.base64("expectedOutputBase64")
	switch data := []byte(expected); {
	case there && also:
		o.wrong("expectedOutputBase64", "Give expectedOutput or expectedOutputBase64, not both")
	case also:
		t.Expected = &coded
	case there:
		t.Expected = &data
	}
	return t
}

// compare reads how outputs are compared.
func (o *object) compare() job.Compare {
	c := o.object("compare")
	if c == nil {
		return job.Compare{}
	}
	c.only("mode", "absTolerance", "relTolerance")
	mode, _ := c.text("mode")
	return job.Compare{Mode: job.Comparison(c.oneOf("mode", mode, comparisons)), AbsTolerance: c.tolerance("absTolerance"), RelTolerance: c.tolerance("relTolerance")}
}

// oneOf returns word if it is one of options or "".
func (o *object) oneOf(name, word string, options []string) string {
	if slices.Contains(options, word) {
		return word
	}
	if _, there := o.members[name]; there && kind(o.members[name]) == "string" {
		o.wrong(name, msgEnum(options, word))
	}
	return ""
}

// tolerance reads a number that is not negative.
func (o *object) tolerance(name string) float64 {
	raw, ok := o.value(name, "number")
	if !ok {
		return 0
	}
	v, err := strconv.ParseFloat(string(raw), 64)
	switch {
	case err != nil:
		o.wrong(name, msgType("number", "nan"))
	case v < 0:
		o.wrong(name, msgMin(0))
	}
	return v
}

// checker reads the program that checks outputs; nil when there is none.
func (o *object) checker(known []job.Language) *job.Checker {
	c := o.object("checker")
	if c == nil {
		return nil
	}
	c.only("language", "sourceCode", "files", "run")
	lang := c.language(known)
	files := c.files()
	return &job.Checker{Language: lang.Name, Files: files, Source: c.sourceCode(lang, files), Run: c.object("run").readLimits(lang.MinRun)}
}
