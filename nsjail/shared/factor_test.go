// SPDX-License-Identifier: Apache-2.0

package shared

import (
	"math"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"testing"
	"time"
)

const ms = time.Millisecond

// TestPercentile: nearest rank, as in the usual definition: the smallest value that p percent of all don't exceed.
func TestPercentile(t *testing.T) {
	hundred := make([]time.Duration, 100)
	for i := range hundred {
		hundred[i] = time.Duration(100-i) * ms // the order doesn't matter
	}
	for _, tt := range []struct {
		times []time.Duration
		p     int
		want  time.Duration
	}{
		{nil, 50, 0},
		{[]time.Duration{7}, 1, 7},
		{[]time.Duration{7}, 99, 7},
		{[]time.Duration{2, 1}, 50, 1},
		{[]time.Duration{3, 1, 2}, 50, 2},
		{[]time.Duration{5, 4, 3, 2, 1}, 99, 5},
		{hundred, 50, 50 * ms},
		{hundred, 99, 99 * ms},
		{hundred, 100, 100 * ms},
	} {
		if got := percentile(tt.times, tt.p); got != tt.want {
			t.Errorf("percentile(%d values, %d) is %v, want %v", len(tt.times), tt.p, got, tt.want)
		}
	}
	if hundred[0] != 100*ms {
		t.Error("the values were sorted in place")
	}
}

// TestHarms: both a ratio and a time that somebody notices.
func TestHarms(t *testing.T) {
	for _, tt := range []struct {
		name                                   string
		median, controlMedian, p99, controlP99 time.Duration
		want                                   bool
	}{
		{"the same", 8 * ms, 8 * ms, 16 * ms, 16 * ms, false},
		{"nothing measured", 0, 0, 0, 0, false},
		{"a control of nothing", 8 * ms, 0, 99 * ms, 0, false},
		{"faster", 1 * ms, 9 * ms, 1 * ms, 90 * ms, false},
		{"three times is the most", 9 * ms, 3 * ms, 9 * ms, 9 * ms, false},
		{"the median", 10 * ms, 3 * ms, 10 * ms, 9 * ms, true},
		{"some microseconds", 100 * time.Microsecond, 10 * time.Microsecond, 1 * ms, 900 * time.Microsecond, false},
		{"five times is the most", 1 * ms, 1 * ms, 50 * ms, 10 * ms, false},
		{"the p99", 1 * ms, 1 * ms, 51 * ms, 10 * ms, true},
		{"a p99 of a few milliseconds", 1 * ms, 1 * ms, 4 * ms, 200 * time.Microsecond, false},
		{"nested epolls at a daemon that has them", 45 * ms, 8 * ms, 1536 * ms, 70 * ms, true},
		{"reads past the cache, and the append-only file", 4 * ms, 4 * ms, 128 * ms, 9 * ms, true},
	} {
		f := newFactor("x", []window{{tt.median, tt.p99}}, []window{{tt.controlMedian, tt.controlP99}}, DefaultBounds())
		if f.Harms != tt.want {
			t.Errorf("%s: harms %v, want %v: %+v", tt.name, !tt.want, tt.want, f)
		}
	}
}

// TestWorst: one that harms comes before a larger ratio that doesn't.
func TestWorst(t *testing.T) {
	small := Factor{"small", 90 * time.Microsecond, 90 * time.Microsecond, time.Microsecond, time.Microsecond, false}
	harm := Factor{"harm", 40 * ms, 40 * ms, 10 * ms, 40 * ms, true}
	more := Factor{"more", 50 * ms, 40 * ms, 10 * ms, 40 * ms, true}
	for _, tt := range []struct {
		factors []Factor
		want    string
		harms   bool
	}{
		{nil, "", false},
		{[]Factor{small}, "small", false},
		{[]Factor{small, harm}, "harm", true},
		{[]Factor{harm, small}, "harm", true},
		{[]Factor{harm, more, small}, "more", true},
	} {
		o := Outcome{Factors: tt.factors}
		if got := o.Worst().What; got != tt.want || o.Harms() != tt.harms {
			t.Errorf("of %+v %q, harms %v; want %q, %v", tt.factors, got, o.Harms(), tt.want, tt.harms)
		}
	}
}

// TestBounds: tighter bounds find what the default ones tolerate; those under which the control would do harm are refused.
func TestBounds(t *testing.T) {
	harms := func(b Bounds) bool {
		return newFactor("x", []window{{20 * ms, 40 * ms}}, []window{{10 * ms, 20 * ms}}, b).Harms
	}
	if harms(DefaultBounds()) || !harms(Bounds{1.5, 5}) || !harms(Bounds{3, 1.5}) {
		t.Error("twice the time is harm from 1.5 on, and not by default")
	}
	for _, b := range []Bounds{{}, {3, 1}, {1, 5}, {-3, 5}, {math.NaN(), 5}, {3, 1001}} {
		if b.Check() == nil {
			t.Errorf("%+v: no error", b)
		}
	}
	if err := DefaultBounds().Check(); err != nil {
		t.Error(err)
	}
}

// TestDecide: a host that is busy otherwise makes no harm of an abuse that does none, and does not hide one that does.
func TestDecide(t *testing.T) {
	quiet := func(n int) time.Duration { return time.Duration(2+n%3) * ms }
	for _, tt := range []struct {
		name    string
		abuse   func(n int) time.Duration // the slowest of 80 in window n
		control func(n int) time.Duration
		harms   bool
		windows int // beside the abuse
	}{
		{"a quiet host, no harm", quiet, quiet, false, rounds},
		{"a burst in two of five windows", func(n int) time.Duration { return map[bool]time.Duration{true: 400 * ms, false: quiet(n)}[n < 2] }, quiet, false, rounds},
		{"bursts that met the abuse first", func(n int) time.Duration { return map[bool]time.Duration{true: 400 * ms, false: quiet(n)}[n < 5] }, quiet, false, 2 * rounds},
		{"a host that is always busy", func(n int) time.Duration { return time.Duration(20+n*37%90) * ms }, func(n int) time.Duration { return time.Duration(20+n*53%90) * ms }, false, rounds},
		{"a host that becomes busy", func(n int) time.Duration { return time.Duration(3+n*n) * ms }, func(n int) time.Duration { return time.Duration(2+n*n) * ms }, false, rounds},
		{"harm on a quiet host", func(int) time.Duration { return 60 * ms }, quiet, true, tries * rounds},
		{"harm on a busy host", func(n int) time.Duration { return time.Duration(600+n*37%90) * ms }, func(n int) time.Duration { return time.Duration(20+n*53%90) * ms }, true, tries * rounds},
		{"harm in most windows", func(n int) time.Duration { return map[bool]time.Duration{true: 60 * ms, false: quiet(n)}[n%5 != 4] }, quiet, true, tries * rounds},
		{"a disk that is busy for seconds, more often beside the abuse", func(n int) time.Duration { return map[bool]time.Duration{true: 60 * ms, false: quiet(n)}[n%2 == 0] },
			func(n int) time.Duration { return map[bool]time.Duration{true: 60 * ms, false: quiet(n)}[n%2 == 1] }, false, 2 * rounds},
	} {
		n := map[bool]int{}
		o, err := decide(Abuse{Name: "x"}, DefaultBounds(), func(abuse bool) (map[string][]time.Duration, string, error) {
			slowest := tt.control(n[abuse])
			if abuse {
				slowest = tt.abuse(n[abuse])
			}
			n[abuse]++
			return map[string][]time.Duration{"act": append(slices.Repeat([]time.Duration{ms}, 79), slowest)}, "", nil
		})
		if err != nil || o.Harms() != tt.harms || n[true] != tt.windows || n[false] != tt.windows {
			t.Errorf("%s: harms %v, %v, after %v windows: %+v", tt.name, o.Harms(), err, n, o.Factors)
		}
	}
	refuse := func(bool) (map[string][]time.Duration, string, error) { return nil, "EPERM", nil }
	if o, err := decide(Abuse{}, DefaultBounds(), refuse); err != nil || o.Refused != "EPERM" || o.Harms() {
		t.Errorf("%+v, %v", o, err)
	}
}

// TestTables: what the C files can do is what is listed, each once, with what bounds it.
func TestTables(t *testing.T) {
	files, err := filepath.Glob("*.c")
	if err != nil {
		t.Fatal(err)
	}
	inC := map[string]bool{}
	for _, f := range files {
		text, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range regexp.MustCompile(`(?m)^\t\{"([^"]+)", \w+, \w+\},$`).FindAllSubmatch(text, -1) {
			inC[string(m[1])] = true
		}
	}
	if !inC[control] {
		t.Errorf("the control %q is in no table", control)
	}
	delete(inC, control)
	for _, a := range Abuses {
		if !inC[a.Name] {
			t.Errorf("%q is in no table of the C files, or listed twice", a.Name)
		}
		delete(inC, a.Name)
		if a.Object == "" || a.Bound == "" || a.Processes < 1 || a.Processes >= 128 {
			t.Errorf("%+v: want an object, what bounds it, and fewer processes than a job may have", a)
		}
	}
	for name := range inC {
		t.Errorf("%q is not listed in abuses.go", name)
	}
}
