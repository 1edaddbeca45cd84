// SPDX-License-Identifier: Apache-2.0

package main

import (
	"reflect"
	"testing"
)

func TestParseTest262(t *testing.T) {
	c := &test262Corpus{dir: t.TempDir()}
	tests := []struct {
		text string
		want test262Test
	}{
		{"/*---\nflags: [module, async]\n---*/", test262Test{ID: "a/b.js", Shells: []string{}, Module: true, Async: true}},
		{"// x\n/*---\ndescription: flags\nnegative:\n  phase: parse\n  type: SyntaxError\n---*/", test262Test{ID: "a/b.js", Shells: []string{}, Negative: &test262Error{"parse", "SyntaxError"}}},
		{"/*---\nflags: [onlyStrict]\n---*/", test262Test{ID: "a/b.js", Shells: []string{}}},
	}
	for _, tt := range tests {
		if got := c.parse("a/b.js", tt.text); !reflect.DeepEqual(got, tt.want) {
			t.Errorf("%q: %+v, want %+v", tt.text, got, tt.want)
		}
	}
}

// The examples are those of the languages' documentation.
func TestFloatForms(t *testing.T) {
	tests := []struct {
		f                    float64
		python, js, javaForm string
	}{
		{100, "100.0", "100", "100.0"},
		{0.1, "0.1", "0.1", "0.1"},
		{-2.5, "-2.5", "-2.5", "-2.5"},
		{1.25e-5, "1.25e-05", "0.0000125", "1.25E-5"},
		{1.5e-7, "1.5e-07", "1.5e-7", "1.5E-7"},
		{12345678.5, "12345678.5", "12345678.5", "1.23456785E7"},
		{1.5e16, "1.5e+16", "15000000000000000", "1.5E16"},
		{1.5e21, "1.5e+21", "1.5e+21", "1.5E21"},
		{0.00125, "0.00125", "0.00125", "0.00125"},
	}
	for _, tt := range tests {
		java, ok := javaFloat(tt.f)
		if p, j := pythonFloat(tt.f), jsFloat(tt.f); p != tt.python || j != tt.js || java != tt.javaForm || !ok {
			t.Errorf("%g: %q, %q, %q, want %q, %q, %q", tt.f, p, j, java, tt.python, tt.js, tt.javaForm)
		}
	}
}

// Of the first numbers of MT19937 for the seed {0x123, 0x234, 0x345, 0x456} its authors published the list (mt19937ar.out).
func TestTwister(t *testing.T) {
	var mt twister
	mt.seed([]uint32{0x123, 0x234, 0x345, 0x456})
	for i, want := range []uint32{1067595299, 955945823, 477289528, 4107218783} {
		if got := mt.next(); got != want {
			t.Errorf("number %d is %d, want %d", i, got, want)
		}
	}
}

// A seed stands for one set of programs.
func TestGenerateIsFixed(t *testing.T) {
	for _, topic := range topics {
		if a, b := generate(topic.name, 1), generate(topic.name, 1); !reflect.DeepEqual(a, b) {
			t.Errorf("%s: two sets for one seed", topic.name)
		}
		if a, b := generate(topic.name, 1), generate(topic.name, 2); reflect.DeepEqual(a, b) {
			t.Errorf("%s: one set for two seeds", topic.name)
		}
	}
}

func TestJudgeLines(t *testing.T) {
	cases := []answer{{"1+1", "2"}, {"f()", "x y"}, {"g()", ""}}
	got := judgeLines("n", cases, ran{stdout: "0 2\n1 x z\n2 \n", end: "exit 0"})
	want := results{"n end": {State: pass}, "n 0": {State: pass}, "n 1": {fail, `f() = "x z", want "x y"`}, "n 2": {State: pass}}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
	if got := judgeLines("n", cases[:1], ran{end: "SIGKILL"}); got["n end"].State != fail || got["n 0"].State != fail {
		t.Errorf("a program that was killed: %v", got)
	}
}
