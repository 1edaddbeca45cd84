// SPDX-License-Identifier: Apache-2.0

package doctor

import (
	"fmt"
	"io"

	"github.com/ccee-dev/ccee/nsjail/escape"
)

// Escape is the outcomes of the attempts to get out of a jail.
type Escape []escape.Outcome

// Held reports whether every control held that the tier has.
func (e Escape) Held() bool { return allHeld(e) }

func allHeld(outcomes []escape.Outcome) bool { return len(escape.Lost(outcomes)) == 0 }

// Print writes a row a control for people, in the columns of Report.Print: result, control, evidence; and what to do.
func (e Escape) Print(w io.Writer) error {
	groups, byGroup := []string{}, map[string][]escape.Outcome{}
	for _, o := range e {
		if byGroup[o.Group] == nil {
			groups = append(groups, o.Group)
		}
		byGroup[o.Group] = append(byGroup[o.Group], o)
	}
	for _, g := range groups {
		if err := printControl(w, g, byGroup[g]); err != nil {
			return err
		}
	}
	return nil
}

func printControl(w io.Writer, group string, outcomes []escape.Outcome) error {
	given := 0
	for _, o := range outcomes {
		if o.Given == "" {
			continue
		}
		given++
		if _, err := fmt.Fprintf(w, "NOT HELD %-24s %s: %s\n", group, o.Name, o.Given); err != nil {
			return err
		}
	}
	if allHeld(outcomes) {
		_, err := fmt.Fprintf(w, "held     %-24s all of %d attempts refused\n", group, len(outcomes)-given)
		return err
	}
	for _, o := range outcomes {
		if o.Held || o.Given != "" {
			continue
		}
		if _, err := fmt.Fprintf(w, "ESCAPED  %-24s %s: %s\n", group, o.Name, o.Evidence); err != nil {
			return err
		}
	}
	_, err := fmt.Fprintf(w, "%33s-> %s\n", "", escape.Fix(group))
	return err
}

// PrintJSON writes all attempts for programs.
func (e Escape) PrintJSON(w io.Writer) error {
	type line struct {
		Control  string `json:"control"`
		Attempt  string `json:"attempt"`
		Held     bool   `json:"held"`
		Evidence string `json:"evidence"`
		Fix      string `json:"fix,omitempty"`
		Given    string `json:"given,omitempty"` // why this tier can't hold it
	}
	all := struct {
		OK       bool   `json:"ok"`
		Attempts []line `json:"attempts"`
	}{OK: e.Held()}
	for _, o := range e {
		l := line{Control: o.Group, Attempt: o.Name, Held: o.Held, Evidence: o.Evidence, Given: o.Given}
		if !o.Held && o.Given == "" {
			l.Fix = escape.Fix(o.Group)
		}
		all.Attempts = append(all.Attempts, l)
	}
	return printIndented(w, all)
}
