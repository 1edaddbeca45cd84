// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"io"
	"reflect"
	"strings"
	"testing"
)

// fakePlace answers with what was written for each call, the last one again and again.
type fakePlace struct{ answers []ran }

func (f *fakePlace) run(context.Context, program) (ran, error) {
	a := f.answers[0]
	if len(f.answers) > 1 {
		f.answers = f.answers[1:]
	}
	return a, nil
}

func lines(l ...string) []byte { return []byte(strings.Join(l, "\n") + "\n") }

func TestUntilDone(t *testing.T) {
	const a, b = `{"begin":"a"}`, `{"begin":"b"}`
	const passA, passB, done = `{"id":"a","state":"pass"}`, `{"id":"b","state":"pass"}`, `{"done":"all"}`
	tests := []struct {
		name string
		runs []ran
		want results
	}{
		{"all at once", []ran{{report: lines(a, passA, b, passB, done), end: "exit 0"}}, results{"a": {State: pass}, "b": {State: pass}}},
		{"a crash costs one test", []ran{{report: lines(a), end: "SIGSEGV"}, {report: lines(b, passB, done), end: "exit 0"}},
			results{"a": {died, "SIGSEGV"}, "b": {State: pass}}},
		{"a test with part of the time gets all of it", []ran{{report: lines(a, passA, b), end: "timeout"}, {report: lines(b, passB, done), end: "exit 0"}},
			results{"a": {State: pass}, "b": {State: pass}}},
		{"a test that takes all of the time", []ran{{report: lines(a), end: "timeout"}, {report: lines(b, passB, done), end: "exit 0"}},
			results{"a": {died, "timeout"}, "b": {State: pass}}},
		{"nothing at all", []ran{{end: "exit 1", stderr: "no such module\n"}}, results{"m (module)": {died, "exit 1: no such module"}}},
		{"tests that all hang", []ran{{report: lines(a), end: "timeout"}, {report: lines(b), end: "timeout"}, {report: lines(`{"begin":"c"}`), end: "timeout"},
			{report: lines(`{"begin":"d"}`), end: "timeout"}}, results{"a": {died, "timeout"}, "b": {died, "timeout"}, "c": {died, "timeout"}, "d": {died, "timeout"},
			"m (module)": {died, gaveUp}}},
		{"a line that is cut off", []ran{{report: []byte(a + "\n" + passA + "\n" + `{"beg`), end: "SIGKILL"}, {report: lines(done), end: "exit 0"}},
			results{"a": {State: pass}}},
	}
	for _, tt := range tests {
		got, err := untilDone(t.Context(), &fakePlace{tt.runs}, "m", func(results) (program, error) { return program{}, nil })
		if err != nil || !reflect.DeepEqual(got, tt.want) {
			t.Errorf("%s: %v, %v, want %v", tt.name, got, err, tt.want)
		}
	}
}

func TestJudge(t *testing.T) {
	in := results{"m.A.x": {fail, "no socket"}, "m.A.y": {State: pass}, "m.B.z": {State: skip}}
	out := results{"m.A.x": {State: pass}, "m.A.y": {State: pass}, "m.B.z": {State: pass}, "m.C.w": {State: fail}}
	tests := []struct {
		name, list string
		whole      bool
		want       []string // parts of what is wrong, in order
	}{
		{"nothing is expected", "", true, []string{"m.A.x: inside fail (no socket), outside pass", "m.B.z: inside skip", "m.C.w: inside none"}},
		{"all is", "# c\nm.A.x -- sockets\nm.[BC]* -- no pattern but *\nm.B.z -- r\nm.C.* -- r\n", false, nil},
		{"a stale line", "m.* -- all\nm.A.y -- was mended\n", false, []string{`line 2 of the list expects "m.A.y" to differ`}},
		{"a stale pattern tells in a whole run only", "m.* -- all\nn.* -- gone\n", false, nil},
		{"a stale pattern", "m.* -- all\nn.* -- gone\n", true, []string{`line 2 of the list expects "n.*"`}},
	}
	for _, tt := range tests {
		list, err := parseExpected(strings.NewReader(tt.list))
		if err != nil {
			t.Fatal(err)
		}
		c := &comparison{suite: &suite{name: "s", expected: list}, inside: in, outside: out, differences: differences(in, out)}
		got := c.judge(tt.whole)
		ok := len(got) == len(tt.want)
		for i := range min(len(got), len(tt.want)) {
			ok = ok && strings.Contains(got[i], tt.want[i])
		}
		if !ok {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
		}
	}
	if _, err := parseExpected(strings.NewReader("m.A.x\n")); err == nil {
		t.Error("a line without a reason was accepted")
	}
	c := &comparison{suite: &suite{mustPass: true}, inside: results{"a": {fail, "x"}}, outside: results{"a": {fail, "x"}}}
	if got := c.judge(true); len(got) != 1 {
		t.Errorf("an answer of ours that is wrong in both places: %q, want it told", got)
	}
}

// What differs only once is chance or load, and is told apart from what differs each time.
func TestUnsteady(t *testing.T) {
	calls := map[string]int{}
	u := unit{"u", func(_ context.Context, at place, only []string) (results, error) {
		r := results{}
		for _, name := range []string{"chance", "fault", "good"} {
			if only != nil && !strings.Contains(strings.Join(only, " "), name) {
				continue
			}
			r[name] = outcome{State: pass}
			inside := at.(*fakePlace).answers[0].end == "inside"
			if calls[name]++; inside && (name == "fault" || name == "chance" && calls[name] == 2) {
				r[name] = outcome{State: fail}
			}
		}
		return r, nil
	}}
	s := &suite{name: "s", inside: &fakePlace{[]ran{{end: "inside"}}}, outside: &fakePlace{[]ran{{end: "outside"}}}, units: []unit{u}}
	c, err := s.compare(t.Context(), 1, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	if len(c.differences) != 1 || c.differences[0].test != "fault" || !reflect.DeepEqual(c.unsteady, []string{"chance"}) {
		t.Errorf("differences %v, unsteady %v, want fault and chance", c.differences, c.unsteady)
	}
}
