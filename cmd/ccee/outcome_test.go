// SPDX-License-Identifier: Apache-2.0

package main

import (
	"testing"

	"github.com/ccee-dev/ccee/job"
)

func TestCodeOf(t *testing.T) {
	code := func(n int) *int { return &n }
	for _, tt := range []struct {
		verdict job.Verdict
		exit    *int
		signal  string
		want    int
	}{
		{job.Exited, code(0), "", 0},
		{job.Exited, code(255), "", 255},
		{job.Exited, code(137), "", 137}, // the program's own choice
		{job.PidsLimit, code(1), "", 1},
		{job.Signaled, nil, "SIGSEGV", 139},
		{job.FileSize, nil, "SIGXFSZ", 153},
		{job.BadSyscall, nil, "SIGSYS", 159},
		{job.WallTime, nil, "SIGKILL", 124},
		{job.CPUTime, nil, "SIGKILL", 124},
		{job.OOMKilled, nil, "SIGKILL", 137},
		{job.OOMKilled, code(1), "", 137}, // a child was killed, and the program gave up for it
		{job.OutputLimit, nil, "SIGKILL", 123},
		{job.VerdictCancelled, nil, "SIGKILL", 130},
		{job.StartFailed, nil, "", 126},
		{job.Internal, nil, "", 125},
	} {
		if got := codeOf(tt.verdict, tt.exit, tt.signal); got != tt.want {
			t.Errorf("codeOf(%s, %v, %q) = %d, want %d", tt.verdict, tt.exit, tt.signal, got, tt.want)
		}
	}
}

func TestPickLanguage(t *testing.T) {
	languages := []job.Language{
		{Name: "python", Aliases: []string{"py"}, SourceFile: "main.py"},
		{Name: "java", SourceFile: "Main.java"},
		{Name: "c", SourceFile: "main.c"},
	}
	for _, tt := range []struct{ wanted, file, want string }{
		{"", "a.py", "python"},
		{"", "dir.java/x.c", "c"},
		{"py", "a.java", "python"},
		{"java", "script", "java"},
		{"", "script", ""},
		{"", "a.rb", ""},
		{"ruby", "a.py", ""},
	} {
		got, err := pickLanguage(tt.wanted, tt.file, languages)
		if got.Name != tt.want || (err == nil) != (tt.want != "") {
			t.Errorf("pickLanguage(%q, %q) = %q, %v, want %q", tt.wanted, tt.file, got.Name, err, tt.want)
		}
	}
	if _, err := pickLanguage("", "a.py", nil); err == nil {
		t.Error("without a language there is nothing to pick")
	}
}

// TestLimitRows: every flag has a default, but the one for what is kept on request, and a maximum, and asks for its own field.
func TestLimitRows(t *testing.T) {
	seen := map[*int64]string{}
	var probe job.Limits
	for _, r := range limitRows() {
		run, max := job.DefaultRun, job.MaxLimits
		if *r.at(&run) <= 0 != (r.name == "output-tail") || *r.at(&max) < *r.at(&run) {
			t.Errorf("--%s: default %d, maximum %d", r.name, *r.at(&run), *r.at(&max))
		}
		if other, taken := seen[r.at(&probe)]; taken {
			t.Errorf("--%s and --%s set the same limit", r.name, other)
		}
		seen[r.at(&probe)] = r.name
	}
}
