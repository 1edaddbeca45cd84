// SPDX-License-Identifier: Apache-2.0

package job

import (
	"encoding/json"
	"regexp"
	"strings"
	"testing"
)

func TestGlobs(t *testing.T) {
	for _, tt := range []struct {
		glob, name  string
		file, below bool
	}{
		{"a", "a", true, false},
		{"a", "b", false, false},
		{"a/b", "a", false, true},
		{"a/b", "a/b", true, false},
		{"a/b", "a/c", false, false},
		{"*", "a", true, false},
		{"*", ".hidden", true, false},
		{"*", "a/b", false, false},
		{"*.txt", ".txt", true, false},
		{"*.txt", "a.txt.gz", false, false},
		{"a*", "a", true, false},
		{"a*b*c", "aXbYc", true, false},
		{"a*b*c", "abc", true, false},
		{"a*b*c", "acb", false, false},
		{"ab*ba", "aba", false, false}, // no byte counts twice
		{"*aab", "aaab", true, false},
		{"*/x", "a", false, true},
		{"**", "a", true, true},
		{"**", "a/b/c", true, true},
		{"a/**", "a", false, true},
		{"a/**", "a/b", true, true},
		{"a/**", "b", false, false},
		{"**/x", "x", true, true},
		{"**/x", "a/b/x", true, true},
		{"**/x", "a/b/y", false, true},
		{"a/**/b", "a/b", true, true},
		{"a/**/b", "a/x/y/b", true, true},
		{"**/a/**/b/**", "x/a/b/c", true, true},
		{"**/**/**/**/**/**/**/**", "a/b/c/d/e/f/g/h", true, true},
		{"..a", "..a", true, false},
	} {
		g, err := ParseGlobs([]string{"no", tt.glob})
		if err != nil {
			t.Errorf("%s: %v", tt.glob, err)
			continue
		}
		if file, below := g.Match(tt.name); file != tt.file || below != tt.below {
			t.Errorf("%s, %s: file %v, below %v, want %v, %v", tt.glob, tt.name, file, below, tt.file, tt.below)
		}
	}
}

func TestParseGlobsRefuses(t *testing.T) {
	for _, list := range [][]string{
		{""}, {"/etc/passwd"}, {"../a"}, {"a/../b"}, {".."}, {"."}, {"a/"}, {"a//b"}, {"a\x00b"}, {"a\nb"}, {"a\\b"}, {"\xff"},
		{"a?"}, {"[a]"}, {"{a,b}"}, {"a**"}, {"***"}, {"a/**b"}, {strings.Repeat("a", MaxNameBytes+1)},
		{strings.Repeat("a/", MaxNameDepth) + "a"}, make([]string, MaxGlobs+1),
		strings.Split(strings.Repeat(strings.Repeat("a", 250)+" ", 5)+"a", " "),
	} {
		err := (&Spec{ID: "1", Language: "x", Source: "x", OutputFiles: list}).Validate()
		if e, ok := err.(*Error); !ok || e.Code != EInvalid || e.Field != "outputFiles" {
			t.Errorf("%.60q: %v, want an error of outputFiles", list, err)
		}
	}
}

// FuzzGlobs holds Match to a regular expression that says the same, and below to what a walk needs: it must go into every
// directory of a name that is matched.
func FuzzGlobs(f *testing.F) {
	f.Add("a*b/**/c", "axb/d/c")
	f.Add("**", "a/b")
	f.Add("*a*a*a*", strings.Repeat("a", 255))
	f.Add("**/\xff", "\n/\xff")
	f.Fuzz(func(t *testing.T, glob, name string) {
		g, err := ParseGlobs([]string{glob})
		if err != nil {
			return
		}
		if ValidName(glob) != nil {
			t.Errorf("%q is a glob, but no name", glob)
		}
		file, _ := g.Match(name)
		if ValidName(name) != nil {
			return // Match must only end; who asks checks the name too
		}
		if want := reference(glob).MatchString(name); file != want {
			t.Errorf("%q, %q: %v, want %v", glob, name, file, want)
		}
		for i, c := range name {
			if _, below := g.Match(name[:i]); c == '/' && file && !below {
				t.Errorf("%q matches %q, but nothing below %q", glob, name, name[:i])
			}
		}
	})
}

func reference(glob string) *regexp.Regexp {
	var b strings.Builder
	b.WriteString("(?s)^")
	elements := strings.Split(glob, "/")
	for i, e := range elements {
		last := i == len(elements)-1
		switch {
		case e == "**" && last:
			b.WriteString(".+")
		case e == "**":
			b.WriteString("(?:.+/)?")
		default:
			b.WriteString(strings.ReplaceAll(regexp.QuoteMeta(e), `\*`, "[^/]*"))
			if !last {
				b.WriteString("/")
			}
		}
	}
	b.WriteString("$")
	return regexp.MustCompile(b.String())
}

// FuzzSkipped: whatever a program calls its files, the report is JSON and says it exactly.
func FuzzSkipped(f *testing.F) {
	f.Add("a\nb", int64(1))
	f.Add("\xff\xfe", int64(0))
	f.Add("\u2028<script>\xed\xa0\x80", int64(-1))
	f.Fuzz(func(t *testing.T, name string, size int64) {
		s := Skipped{Name: name, Reason: SkipName, Bytes: size}
		b, err := json.Marshal(OutputFiles{Skipped: []Skipped{s}})
		if err != nil {
			t.Fatal(err)
		}
		var back OutputFiles
		if err := json.Unmarshal(b, &back); err != nil || len(back.Skipped) != 1 || back.Skipped[0] != s {
			t.Errorf("%s: %+v, %v, want %+v", b, back, err, s)
		}
	})
}
