// SPDX-License-Identifier: Apache-2.0

package job

import (
	"regexp"
	"slices"
	"strings"
)

// report is how a language's runtime ends for an error that the program did not catch.
type report struct {
	codes []int // exit codes, by its documentation
	// forms are what it writes to stderr then. Each has the place where it begins, of which the last one counts, as an error that another
	// caused is told last, and all that comes from there on.
	forms []form
}

// form is one way to report an error.
type form struct {
	begins string
	whole  *regexp.Regexp
}

// A frame of Python's tracebacks, with the lines that it shows; and the name of an exception, which may be of a class within another.
const (
	pythonFrame = `  File "[^"\n]+", line \d+(?:, in [^\n]+)?\n(?:    [^\n]*\n|\n|  \[Previous line repeated \d+ more times?\]\n)*`
	pythonName  = `[\pL_][\pL\pN_.<>]*`
)

// reports are the forms of the runtimes, by the name of the language. One that is not here has no exception of this kind.
//
// The text is the program's to write, so this is the best evidence that there is and no proof: the exit code that only such an end or
// the program itself gives, and the whole of the report as the last thing on stderr. Words alone are none of it. Lines behind Python's
// exception may be of its message or its notes, or be written at exit, and none of them can be told from the others.
var reports = map[string]report{
	"python": {[]int{1}, []form{
		// Outermost is the module that is run: so a traceback of a thread, or of a handler that logs and goes on, is another.
		{"Traceback (most recent call last):\n", regexp.MustCompile(`^[^\n]+\n  File "[^"\n]+", line \d+, in <module>\n(?:    [^\n]*\n|\n)*(?:` + pythonFrame + `)*` + pythonName + `(?:: [^\n]*)?(?:\n|$)`)},
		{"  + Exception Group Traceback (most recent call last):\n", regexp.MustCompile(`^[^\n]+\n  \|   File "[^"\n]+", line \d+, in <module>\n(?s:.*)\n  \| ` + pythonName + `: (?s:.*)\n +\+-{36}(?:\n|$)`)},
		// A module that can't be compiled has no frames.
		{`  File "`, regexp.MustCompile(`^  File "[^"<\n]+", line \d+\n(?:    [^\n]*\n)*(?:SyntaxError|IndentationError|TabError): [^\n]*\n?$`)},
	}},
	// Where it was thrown, the line, a mark below it, what was thrown; and the version, which nothing follows.
	"javascript": {[]int{1, 7}, []form{
		{"", regexp.MustCompile(`(?s)^(?:.*\n)?[^\n]+:\d+\n[^\n]*\n[ \t]*\^+[ \t]*\n.+\n\nNode\.js v\d+\.\d+\.\d+[^\n]*\n?$`)},
	}},
	"java": {[]int{1}, []form{
		{`Exception in thread "main" `, regexp.MustCompile(`^[^"\n]+"main" [\pL_$][\pL\pN_$.]*(?:: [^\n]*)?(?:\n|$)(?:(?s:.*\n)?(?:\t+at [^\n]+|\t+\.\.\. \d+ more|\t*(?:Caused by|Suppressed): [^\n]+)\n?)?$`)},
	}},
}

// uncaught reports whether a step ended by an error that the program did not catch.
func uncaught(language string, s *Step) bool {
	r, known := reports[language]
	if !known || s == nil || s.Verdict != Exited || s.ExitCode == nil || !slices.Contains(r.codes, *s.ExitCode) {
		return false
	}
	text := string(s.Stderr.Tail) // the end is what counts: without it there is no evidence
	if s.Stderr.Omitted() == 0 {
		text = string(s.Stderr.Data) + text
	}
	return slices.ContainsFunc(r.forms, func(f form) bool {
		at := lastLine(text, f.begins)
		return at >= 0 && f.whole.MatchString(text[at:])
	})
}

// lastLine is where the last line of text begins that begins with start; -1: none does.
func lastLine(text, start string) int {
	if start == "" || strings.HasPrefix(text, start) && !strings.Contains(text, "\n"+start) {
		return 0
	}
	at := strings.LastIndex(text, "\n"+start)
	if at < 0 {
		return -1
	}
	return at + 1
}
