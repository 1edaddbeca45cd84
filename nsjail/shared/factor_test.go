package shared

import (
	"os"
	"path/filepath"
	"regexp"
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
		f := Factor{"x", tt.median, tt.p99, tt.controlMedian, tt.controlP99}
		if f.Harms() != tt.want {
			t.Errorf("%s: harms %v, want %v: %+v", tt.name, f.Harms(), tt.want, f)
		}
	}
}

// TestWorst: one that harms comes before a larger ratio that doesn't.
func TestWorst(t *testing.T) {
	small := Factor{"small", 90 * time.Microsecond, 90 * time.Microsecond, time.Microsecond, time.Microsecond}
	harm := Factor{"harm", 40 * ms, 40 * ms, 10 * ms, 40 * ms}
	more := Factor{"more", 50 * ms, 40 * ms, 10 * ms, 40 * ms}
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
