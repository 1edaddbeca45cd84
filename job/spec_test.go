// SPDX-License-Identifier: Apache-2.0

package job

import (
	"strings"
	"testing"
)

func TestValidate(t *testing.T) {
	good := func() Spec { return Spec{ID: "a-1", Language: "python", Source: "print()"} }
	for _, tt := range []struct {
		name   string
		change func(*Spec)
		field  string // at fault, "" for none
	}{
		{"good", func(*Spec) {}, ""},
		{"files instead of source", func(s *Spec) { s.Source, s.Files = "", []File{{Name: "main.py"}} }, ""},
		{"no id", func(s *Spec) { s.ID = "" }, "id"},
		{"odd id", func(s *Spec) { s.ID = "a/b" }, "id"},
		{"long id", func(s *Spec) { s.ID = strings.Repeat("a", MaxIDBytes+1) }, "id"},
		{"long tenant", func(s *Spec) { s.Tenant = strings.Repeat("a", MaxIDBytes+1) }, "tenant"},
		{"no language", func(s *Spec) { s.Language = "" }, "language"},
		{"no source", func(s *Spec) { s.Source = "" }, "sourceCode"},
		{"largest source", func(s *Spec) { s.Source = strings.Repeat("a", MaxSourceBytes) }, ""},
		{"larger source", func(s *Spec) { s.Source = strings.Repeat("a", MaxSourceBytes+1) }, "sourceCode"},
		{"larger stdin", func(s *Spec) { s.Stdin = make([]byte, MaxStdinBytes+1) }, "stdin"},
		{"too many files", func(s *Spec) { s.Files = make([]File, MaxFiles+1) }, "files"},
		{"a file twice", func(s *Spec) { s.Files = []File{{Name: "a"}, {Name: "a"}} }, "files"},
		{"a file as a directory", func(s *Spec) { s.Files = []File{{Name: "a/b"}, {Name: "a"}} }, "files"},
		{"a file as a directory far above", func(s *Spec) { s.Files = []File{{Name: "a"}, {Name: "a/b/c/d"}} }, "files"},
		{"names that only begin alike", func(s *Spec) { s.Files = []File{{Name: "a"}, {Name: "a.b/c"}, {Name: "ab"}} }, ""},
		{"files of one directory", func(s *Spec) { s.Files = []File{{Name: "a/b"}, {Name: "a/c/d"}, {Name: "a/c/e"}} }, ""},
		{"too large files", func(s *Spec) { s.Files = []File{{Name: "a", Data: make([]byte, MaxFileBytes+1)}} }, "files"},
		{"too many args", func(s *Spec) { s.Args = make([]string, MaxArgs+1) }, "args"},
		{"NUL in args", func(s *Spec) { s.Args = []string{"a\x00b"} }, "args"},
		{"too long args", func(s *Spec) { s.Args = []string{strings.Repeat("a", MaxArgBytes)} }, "args"},
		{"odd env name", func(s *Spec) { s.Env = map[string]string{"A=B": ""} }, "env"},
		{"env name with a digit first", func(s *Spec) { s.Env = map[string]string{"1A": ""} }, "env"},
		{"NUL in env", func(s *Spec) { s.Env = map[string]string{"A": "\x00"} }, "env"},
		{"too long env", func(s *Spec) { s.Env = map[string]string{"A": strings.Repeat("a", MaxArgBytes)} }, "env"},
	} {
		s := good()
		tt.change(&s)
		err := s.Validate()
		switch {
		case tt.field == "" && err != nil:
			t.Errorf("%s: %v", tt.name, err)
		case tt.field != "" && (ErrorCode(err) != EInvalid || err.(*Error).Field != tt.field):
			t.Errorf("%s: %v, want an error of the field %s", tt.name, err, tt.field)
		}
	}
}

func TestValidName(t *testing.T) {
	for _, name := range []string{"a", "a.b", "dir/a", "…/ü", "..a", "a..", strings.Repeat("d/", MaxNameDepth-1) + "f"} {
		if err := ValidName(name); err != nil {
			t.Errorf("%q: %v", name, err)
		}
	}
	for _, name := range []string{
		"", ".", "..", "../a", "a/../b", "a/..", "/a", "a//b", "./a", "a/", "a\\b", "a\x00", "a\nb", "\x7f", "\xff",
		strings.Repeat("a", MaxNameBytes+1), strings.Repeat("d/", MaxNameDepth) + "f",
	} {
		if err := ValidName(name); ErrorCode(err) != EInvalid {
			t.Errorf("%q: %v, want EInvalid", name, err)
		}
	}
}

func TestLimits(t *testing.T) {
	filled := Limits{WallMs: 5}.Fill(DefaultRun)
	if filled.WallMs != 5 || filled.MemoryBytes != DefaultRun.MemoryBytes {
		t.Errorf("Fill gives %+v", filled)
	}
	for _, r := range limitRows {
		for name, l := range map[string]Limits{"default": DefaultRun, "compile default": DefaultCompile, "maximum": MaxLimits, "minimum": MinLimits} {
			none := r.name == "outputTailBytes" && strings.HasSuffix(name, "default") // it is on request only
			if *r.at(&l) <= 0 != none {
				t.Errorf("%s has no %s", r.name, name)
			}
		}
		for _, tt := range []struct {
			value int64
			ok    bool
		}{
			{0, true}, {-1, false}, {*r.at(&MinLimits), true}, {*r.at(&MinLimits) - 1, *r.at(&MinLimits) == 1},
			{*r.at(&MaxLimits), true}, {*r.at(&MaxLimits) + 1, false},
		} {
			var l Limits
			*r.at(&l) = tt.value
			err := l.Check("run", Limits{}, MaxLimits)
			if (err == nil) != tt.ok {
				t.Errorf("%s %d: %v, want ok %v", r.name, tt.value, err, tt.ok)
			}
			if err != nil && err.(*Error).Field != "run."+r.name {
				t.Errorf("%s %d: the error is of %s", r.name, tt.value, err.(*Error).Field)
			}
		}
	}
	for _, tt := range []struct {
		tail int64
		ok   bool
	}{{0, true}, {100, true}, {101, false}} {
		err := Limits{OutputBytes: 100, OutputTailBytes: tt.tail}.CheckTail("run")
		if (err == nil) != tt.ok || err != nil && err.(*Error).Field != "run.outputTailBytes" {
			t.Errorf("a tail of %d in 100 bytes: %v, want ok %v", tt.tail, err, tt.ok)
		}
	}
	if err := (Limits{MemoryBytes: 5 * MiB}).Check("run", Limits{MemoryBytes: 6 * MiB}, MaxLimits); ErrorCode(err) != EInvalid {
		t.Errorf("below the language's minimum: %v", err)
	}
}
