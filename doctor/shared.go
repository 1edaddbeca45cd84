// SPDX-License-Identifier: Apache-2.0

package doctor

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/ccee-dev/ccee/nsjail/shared"
)

// Shared is the outcomes of the abuses of what the host has only once.
type Shared []shared.Outcome

// Harmless reports whether no abuse delayed others.
func (s Shared) Harmless() bool { return !slices.ContainsFunc(s, shared.Outcome.Harms) }

// Abuses returns all of them, or only those of a list of names with commas between them.
func Abuses(names string) ([]shared.Abuse, error) {
	if names == "" {
		return shared.Abuses, nil
	}
	var chosen []shared.Abuse
	for name := range strings.SplitSeq(names, ",") {
		i := slices.IndexFunc(shared.Abuses, func(a shared.Abuse) bool { return a.Name == strings.TrimSpace(name) })
		if i < 0 {
			return nil, fmt.Errorf("there is no abuse %q; there are %s", name, strings.Join(abuseNames(), ", "))
		}
		chosen = append(chosen, shared.Abuses[i])
	}
	return chosen, nil
}

func abuseNames() []string {
	var names []string
	for _, a := range shared.Abuses {
		names = append(names, a.Name)
	}
	return names
}

// PrintOutcome writes one outcome for people, in the columns of Report.Print.
func PrintOutcome(w io.Writer, o shared.Outcome) error {
	word, detail, f := "held   ", "refused: "+o.Refused, o.Worst()
	if o.Refused == "" {
		detail = fmt.Sprintf("%s: median %s instead of %s (%.1f times), p99 %s instead of %s (%.1f times)", f.What,
			rounded(f.Median), rounded(f.ControlMedian), f.MedianRatio(), rounded(f.P99), rounded(f.ControlP99), f.P99Ratio())
	}
	if o.Harms() {
		word = "HARMS  "
	}
	if _, err := fmt.Fprintf(w, "%s  %-24s %s\n", word, o.Name, detail); err != nil || !o.Harms() {
		return err
	}
	_, err := fmt.Fprintf(w, "%34s%s\n%34s-> %s\n", "", o.Object, "", o.Bound)
	return err
}

func rounded(d time.Duration) time.Duration { return d.Round(10 * time.Microsecond) }

// PrintJSON writes all outcomes for programs.
func (s Shared) PrintJSON(w io.Writer) error {
	type factor struct {
		What            string  `json:"what"`
		MedianMs        float64 `json:"medianMs"`
		P99Ms           float64 `json:"p99Ms"`
		ControlMedianMs float64 `json:"controlMedianMs"`
		ControlP99Ms    float64 `json:"controlP99Ms"`
		MedianFactor    float64 `json:"medianFactor"`
		P99Factor       float64 `json:"p99Factor"`
		Harms           bool    `json:"harms"`
	}
	type line struct {
		Abuse   string   `json:"abuse"`
		Object  string   `json:"object"`
		Bound   string   `json:"bound"`
		OK      bool     `json:"ok"`
		Refused string   `json:"refused,omitempty"`
		Factors []factor `json:"factors,omitempty"`
	}
	all := struct {
		OK     bool   `json:"ok"`
		Abuses []line `json:"abuses"`
	}{OK: s.Harmless()}
	for _, o := range s {
		l := line{Abuse: o.Name, Object: o.Object, Bound: o.Bound, OK: !o.Harms(), Refused: o.Refused}
		for _, f := range o.Factors {
			l.Factors = append(l.Factors, factor{f.What, inMs(f.Median), inMs(f.P99), inMs(f.ControlMedian), inMs(f.ControlP99),
				f.MedianRatio(), f.P99Ratio(), f.Harms})
		}
		all.Abuses = append(all.Abuses, l)
	}
	return printIndented(w, all)
}

func inMs(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
