// SPDX-License-Identifier: Apache-2.0

package capacity

import (
	"bufio"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
)

// Arrival is the arrival of a job.
type Arrival struct {
	At       float64 // seconds since the beginning
	Language string
}

// Share is a language's part of a load.
type Share struct {
	Language string
	Weight   float64
}

// ParseMix reads "python=8,java=1"; a name alone has the weight 1.
func ParseMix(text string) ([]Share, error) {
	var mix []Share
	for part := range strings.SplitSeq(text, ",") {
		name, weight, given := strings.Cut(strings.TrimSpace(part), "=")
		w := 1.0
		if given {
			var err error
			if w, err = strconv.ParseFloat(weight, 64); err != nil || !(w > 0 && w < 1e9) {
				return nil, fmt.Errorf("%q is not a mix of languages such as python=8,java=1: %q must be a number above 0", text, weight)
			}
		}
		if name == "" || slices.ContainsFunc(mix, func(s Share) bool { return s.Language == name }) {
			return nil, fmt.Errorf("%q is not a mix of languages such as python=8,java=1: each has a name, once", text)
		}
		mix = append(mix, Share{name, w})
	}
	return mix, nil
}

// Poisson returns independent arrivals at a rate a second, for that many seconds. The same seed gives the same arrivals.
func Poisson(rate, seconds float64, mix []Share, seed uint64) []Arrival {
	random := rand.New(rand.NewPCG(seed, 0))
	total := 0.0
	for _, s := range mix {
		total += s.Weight
	}
	var all []Arrival
	for at := random.ExpFloat64() / rate; at < seconds; at += random.ExpFloat64() / rate {
		pick, i := random.Float64()*total, 0
		for i < len(mix)-1 && pick >= mix[i].Weight {
			pick -= mix[i].Weight
			i++
		}
		all = append(all, Arrival{at, mix[i].Language})
	}
	return all
}

// MaxArrivals is the most that ReadTrace accepts.
const MaxArrivals = 5_000_000

// ReadTrace reads arrivals from lines "seconds,language". They needn't be in order; the first is at 0.
func ReadTrace(r io.Reader) ([]Arrival, error) {
	var all []Arrival
	lines := bufio.NewScanner(r)
	for n := 1; lines.Scan(); n++ {
		line := strings.TrimSpace(lines.Text())
		if line == "" || line[0] == '#' {
			continue
		}
		seconds, language, ok := strings.Cut(line, ",")
		at, err := strconv.ParseFloat(strings.TrimSpace(seconds), 64)
		language = strings.TrimSpace(language)
		if !ok || err != nil || !(at >= 0 && at < 1e10) || language == "" {
			return nil, fmt.Errorf("trace: line %d is %.80q, want seconds,language such as 0.25,python", n, line)
		}
		if len(all) == MaxArrivals {
			return nil, fmt.Errorf("trace: it has more than %d arrivals: give a part of it", MaxArrivals)
		}
		all = append(all, Arrival{at, language})
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("trace: %w", err)
	}
	if len(all) == 0 {
		return nil, fmt.Errorf("trace: there is no arrival in it")
	}
	slices.SortStableFunc(all, func(a, b Arrival) int {
		switch {
		case a.At < b.At:
			return -1
		case a.At > b.At:
			return 1
		}
		return 0
	})
	first := all[0].At
	for i := range all {
		all[i].At -= first
	}
	return all, nil
}
