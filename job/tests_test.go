// SPDX-License-Identifier: Apache-2.0

package job

import (
	"math"
	"strings"
	"testing"
)

func TestValidateTests(t *testing.T) {
	big, half := make([]byte, MaxExpectedBytes+1), make([]byte, 500_000)
	spec := func(change func(*Spec)) Spec {
		s := Spec{ID: "1", Language: "python", Source: "x", Tests: &Tests{List: []Test{{}}}}
		change(&s)
		return s
	}
	for _, tt := range []struct {
		name  string
		spec  Spec
		field string // of the error; "" is none
	}{
		{"the least", spec(func(*Spec) {}), ""},
		{"none", spec(func(s *Spec) { s.Tests.List = nil }), "tests"},
		{"as many as are allowed", spec(func(s *Spec) { s.Tests.List = make([]Test, MaxTests) }), ""},
		{"one more", spec(func(s *Spec) { s.Tests.List = make([]Test, MaxTests+1) }), "tests"},
		{"a stdin besides", spec(func(s *Spec) { s.Stdin = half }), "stdin"},
		{"output files besides", spec(func(s *Spec) { s.OutputFiles = []string{"a"} }), "outputFiles"},
		{"interleaved", spec(func(s *Spec) { s.Interleave = true }), "interleave"},
		{"a tail of all", spec(func(s *Spec) { s.Run.OutputTailBytes = 1 }), "tests"},
		{"a tail of one", spec(func(s *Spec) { s.Tests.List[0].Run.OutputTailBytes = 1 }), "tests"},
		{"a long name", spec(func(s *Spec) { s.Tests.List[0].Name = strings.Repeat("n", MaxTestNameBytes+1) }), "tests"},
		{"a large input", spec(func(s *Spec) { s.Tests.List[0].Stdin = make([]byte, MaxStdinBytes+1) }), "tests"},
		{"a large output", spec(func(s *Spec) { s.Tests.List[0].Expected = &big }), "tests"},
		{"all that is allowed together", spec(func(s *Spec) { s.Tests.List = sized(half, 4) }), ""},
		{"more together", spec(func(s *Spec) { s.Tests.List = append(sized(half, 4), Test{Stdin: []byte("x")}) }), "tests"},
		{"no exit code", spec(func(s *Spec) { s.Tests.List[0].ExitCode = 256 }), "tests"},
		{"NUL in an argument", spec(func(s *Spec) { s.Tests.List[0].Args = []string{"\x00"} }), "tests"},
		{"too many arguments with those before", spec(func(s *Spec) { s.Args, s.Tests.List[0].Args = make([]string, MaxArgs), []string{""} }), "tests"},
		{"an unknown comparison", spec(func(s *Spec) { s.Tests.Compare.Mode = "x" }), "compare"},
		{"a tolerance for words", spec(func(s *Spec) { s.Tests.Compare = Compare{Tokens, 1, 0} }), "compare"},
		{"a tolerance that is no number", spec(func(s *Spec) { s.Tests.Compare = Compare{Floats, math.NaN(), 0} }), "compare"},
		{"a negative tolerance", spec(func(s *Spec) { s.Tests.Compare = Compare{Floats, 0, -1} }), "compare"},
		{"tolerances", spec(func(s *Spec) { s.Tests.Compare = Compare{Floats, 0, 1} }), ""},
		{"a checker", spec(func(s *Spec) { s.Tests.Checker = &Checker{Language: "x", Source: "y"} }), ""},
		{"a checker without a language", spec(func(s *Spec) { s.Tests.Checker = &Checker{Source: "y"} }), "checker"},
		{"a checker with a bad file", spec(func(s *Spec) { s.Tests.Checker = &Checker{Language: "x", Source: "y", Files: []File{{Name: "../a"}}} }), "checker"},
		{"a checker with a file in the way", spec(func(s *Spec) { s.Tests.Checker = &Checker{Language: "x", Source: "y", Files: []File{{Name: "test"}}} }), "checker"},
	} {
		err := tt.spec.Validate()
		if (err == nil) != (tt.field == "") || err != nil && err.(*Error).Field != tt.field {
			t.Errorf("%s: %v, want an error of %q", tt.name, err, tt.field)
		}
	}
}

// sized are n tests with that input and that expected output.
func sized(b []byte, n int) []Test {
	list := make([]Test, n)
	for i := range list {
		list[i] = Test{Stdin: b, Expected: &b}
	}
	return list
}

func TestCheckTime(t *testing.T) {
	for _, tt := range []struct {
		tests Tests
		ok    bool
	}{
		{Tests{List: make([]Test, 10)}, true},
		{Tests{List: append(make([]Test, 9), Test{Run: Limits{WallMs: 60_001}})}, false},
		{Tests{List: make([]Test, 10), Checker: &Checker{Run: Limits{WallMs: 1}}}, false},
	} {
		if err := tt.tests.CheckTime(Limits{WallMs: 60_000}); (err == nil) != tt.ok {
			t.Errorf("%+v: %v, want ok %v", tt.tests, err, tt.ok)
		}
	}
}
