// SPDX-License-Identifier: Apache-2.0

package job

import "fmt"

// Bounds of Spec.Tests.
const (
	MaxTests         = 100       // tests
	MaxTestsBytes    = 4_000_000 // bytes of all inputs and expected outputs together
	MaxExpectedBytes = 1_000_000 // bytes of one expected output
	MaxTestNameBytes = 100       // bytes of a test's name
	MaxTestsWallMs   = 600_000   // milliseconds that all tests of a job may take together, by their limits
)

// Tests are inputs for one program, each with its expected output: the program is compiled once and run for each, in a fresh sandbox
// that has nothing but the program. A test passes if the program exits with ExitCode and its output is found right.
type Tests struct {
	List []Test `json:"list"`
	// Compare is how an output is compared with Test.Expected.
	Compare Compare `json:"compare,omitzero"`
	// Checker is a program that judges outputs instead, in a sandbox of its own.
	Checker *Checker `json:"checker,omitempty"`
	// StopOnFailure skips the tests after the first that doesn't pass.
	StopOnFailure bool `json:"stopOnFailure,omitempty"`
}

// Test is one input with its expected output.
type Test struct {
	Name string `json:"name,omitempty"`
	// Stdin is the program's standard input. base64 in JSON.
	Stdin []byte `json:"stdin,omitempty"`
	// Args follow Spec.Args.
	Args []string `json:"args,omitempty"`
	// Expected is the right standard output, or the checker's input; nil: any output is right. base64 in JSON.
	Expected *[]byte `json:"expected,omitempty"`
	// ExitCode is the one that is right.
	ExitCode int `json:"exitCode,omitempty"`
	// Run overrides Spec.Run for this test; a zero field keeps that.
	Run Limits `json:"run,omitzero"`
}

// Comparison is a way to hold an output against the expected one.
type Comparison string

// The comparisons. White space is that of Unicode.
const (
	Exact   Comparison = "exact"   // byte for byte
	Trimmed Comparison = "trimmed" // but for white space at the ends of lines, and empty lines at the end: the default
	Tokens  Comparison = "tokens"  // the words, however they are set apart
	Floats  Comparison = "floats"  // the same, and words that are numbers may differ by a tolerance
)

// Compare is a comparison with its parameters.
type Compare struct {
	Mode Comparison `json:"mode,omitempty"` // "" is Trimmed
	// AbsTolerance and RelTolerance are for Floats: a number is right if it is off by no more than one of them, RelTolerance being a part
	// of the expected number.
	AbsTolerance float64 `json:"absTolerance,omitempty"`
	RelTolerance float64 `json:"relTolerance,omitempty"`
}

// Checker is a program that judges. Its arguments are the names of three files: the input, the program's output, the expected output.
// Exit code 0 means that the output is right, 1 and 2 that it is wrong, as in testlib; any other end is the checker's failure. What it
// writes is the message.
type Checker struct {
	Language string `json:"language"`
	Source   string `json:"sourceCode,omitempty"`
	Files    []File `json:"files,omitempty"` // none in the directory test, where the three are
	// Run are its limits for one test.
	Run Limits `json:"run,omitzero"`
}

// The files of a checker. They are its arguments, in this order.
const (
	CheckerInput    = "test/input"
	CheckerOutput   = "test/output"
	CheckerExpected = "test/expected"
)

// Spec is the checker as a job.
func (c *Checker) Spec() Spec {
	return Spec{ID: "checker", Language: c.Language, Source: c.Source, Files: c.Files, Run: c.Run}
}

// validTests is Validate for Tests.
func (s *Spec) validTests() error {
	t := s.Tests
	switch {
	case t == nil:
		return nil
	case len(t.List) == 0 || len(t.List) > MaxTests:
		return Invalid("tests", "has %d tests, 1 to %d are allowed", len(t.List), MaxTests)
	case len(s.Stdin) > 0:
		return Invalid("stdin", "can't be had together with tests: each has its own")
	case len(s.OutputFiles) > 0:
		return Invalid("outputFiles", "can't be had together with tests")
	case s.Interleave:
		return Invalid("interleave", "can't be had together with tests")
	}
	if err := t.Compare.validate(); err != nil {
		return err
	}
	total := 0
	for i := range t.List {
		if err := t.List[i].validate(i, s); err != nil {
			return err
		}
		total += len(t.List[i].Stdin) + len(t.List[i].expected())
	}
	if total > MaxTestsBytes {
		return Invalid("tests", "have %d bytes of inputs and expected outputs together, at most %d are allowed", total, MaxTestsBytes)
	}
	return t.Checker.validate()
}

func (c *Compare) validate() error {
	switch c.Mode {
	case "", Exact, Trimmed, Tokens:
		if c.AbsTolerance != 0 || c.RelTolerance != 0 {
			return Invalid("compare", "has a tolerance, which only the mode %s can use", Floats)
		}
	case Floats:
		if !(c.AbsTolerance >= 0 && c.RelTolerance >= 0) {
			return Invalid("compare", "has a tolerance that is negative or no number")
		}
	default:
		return Invalid("compare", "has the mode %q: use %s, %s, %s or %s", clip(string(c.Mode), 40), Exact, Trimmed, Tokens, Floats)
	}
	return nil
}

func (t *Test) expected() []byte {
	if t.Expected == nil {
		return nil
	}
	return *t.Expected
}

// validate judges test i of s. Its arguments are judged with those that they follow.
func (t *Test) validate(i int, s *Spec) error {
	bad := func(format string, args ...any) error {
		return Invalid("tests", "[%d]: %s", i, fmt.Sprintf(format, args...))
	}
	switch {
	case len(t.Name) > MaxTestNameBytes:
		return bad("the name has %d bytes, at most %d are allowed", len(t.Name), MaxTestNameBytes)
	case len(t.Stdin) > MaxStdinBytes:
		return bad("stdin has %d bytes, at most %d are allowed", len(t.Stdin), MaxStdinBytes)
	case len(t.expected()) > MaxExpectedBytes:
		return bad("the expected output has %d bytes, at most %d are allowed", len(t.expected()), MaxExpectedBytes)
	case t.ExitCode < 0 || t.ExitCode > 255:
		return bad("exitCode is %d, it must be 0 to 255", t.ExitCode)
	case t.Run.OutputTailBytes != 0 || s.Run.OutputTailBytes != 0:
		return bad("outputTailBytes can't be had together with tests")
	case len(t.Args) == 0:
		return nil
	}
	all := Spec{Args: append(append([]string{}, s.Args...), t.Args...)}
	if err := all.validArgs(); err != nil {
		return bad("%v", err)
	}
	return nil
}

func (c *Checker) validate() error {
	if c == nil {
		return nil
	}
	as := c.Spec()
	if err := as.Validate(); err != nil {
		return Invalid("checker", "%v", err)
	}
	for _, f := range c.Files {
		if f.Name == "test" || len(f.Name) > 5 && f.Name[:5] == "test/" {
			return Invalid("checker", "has the file %q: in the directory test are the files that it judges", clip(f.Name, 80))
		}
	}
	return nil
}

// CheckTime reports tests that may take too long together. run are the limits that apply where a test has none.
func (t *Tests) CheckTime(run Limits) error {
	total := int64(0)
	for i := range t.List {
		total += t.List[i].Run.Fill(run).WallMs
		if t.Checker != nil {
			total += t.Checker.Run.Fill(DefaultRun).WallMs
		}
	}
	if total > MaxTestsWallMs {
		return Invalid("tests", "may take %d ms together by their time limits, at most %d are allowed: lower the limits or use several jobs", total, MaxTestsWallMs)
	}
	return nil
}
