// SPDX-License-Identifier: Apache-2.0

package decode

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/ccee-dev/ccee/job"
)

// languages are those that the tests' jobs may be in.
var languages = []job.Language{
	{Name: "java", SourceFile: "Main.java", DefaultRun: job.Limits{MemoryBytes: 256 * job.MiB}, MinRun: job.Limits{MemoryBytes: 96 * job.MiB}},
	{Name: "python", Aliases: []string{"py"}, SourceFile: "main.py"},
}

const helloPython = `{"language":"python","sourceCode":"print('hello')"}`

func TestUTF16Len(t *testing.T) {
	for in, want := range map[string]int{"": 0, "abc": 3, "é": 1, "€": 1, "😀": 2, "a😀b": 4} {
		if got := utf16Len(in); got != want {
			t.Errorf("utf16Len(%q) = %d, want %d", in, got, want)
		}
	}
}

// Whatever the bytes are, decoding neither panics nor lets through what job.Spec refuses.
func FuzzJob(f *testing.F) {
	for _, seed := range []string{helloPython, `{}`, `null`, `[1]`, `"x"`, `{"language":"java","files":[{"name":"Main.java","content":"x"}]}`,
		`{"language":"py","sourceCode":"x","run":{"timeoutMs":1e3},"args":["a"],"env":{"A":"b"},"stdinBase64":"AA==","priority":"low"}`,
		`{"language":"py","sourceCode":"x","outputFiles":["**/a*"]}`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if !json.Valid(data) {
			return
		}
		iss := NewIssues()
		sub := Terms{Languages: languages}.Job(Body{JSON: data}, iss)
		if iss.Any() {
			return
		}
		if err := validate(sub.Spec); err != nil {
			t.Errorf("%s was accepted, but %v", data, err)
		}
		if err := sub.Spec.Run.Check("run", job.Limits{}, job.MaxLimits); err != nil {
			t.Errorf("%s was accepted, but %v", data, err)
		}
	})
}

// BenchmarkJob measures what a source of 100,000 bytes costs before anything is asked of Redis.
func BenchmarkJob(b *testing.B) {
	data := Body{JSON: []byte(`{"language":"python","sourceCode":"` + strings.Repeat(`print(1)\n`, 10_000) + `"}`)}
	b.SetBytes(int64(len(data.JSON)))
	for b.Loop() {
		iss := NewIssues()
		if (Terms{Languages: languages}).Job(data, iss); iss.Any() {
			b.Fatal(iss)
		}
	}
}
