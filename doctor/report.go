// SPDX-License-Identifier: Apache-2.0

package doctor

import (
	"encoding/json"
	"fmt"
	"io"
	"os"

	"golang.org/x/term"
)

// Report is the rows of the host's checks.
type Report []Check

// Healthy reports whether nothing is missing that is needed.
func (r Report) Healthy() bool {
	for _, c := range r {
		if c.Needed && !c.OK {
			return false
		}
	}
	return true
}

// PrintJSON writes the report for programs.
func (r Report) PrintJSON(w io.Writer) error {
	type line struct {
		Name    string `json:"name"`
		OK      bool   `json:"ok"`
		Unknown bool   `json:"unknown,omitempty"`
		Needed  bool   `json:"needed"`
		Detail  string `json:"detail"`
		Fix     string `json:"fix,omitempty"`
	}
	all := struct {
		OK     bool   `json:"ok"`
		Checks []line `json:"checks"`
	}{OK: r.Healthy()}
	for _, c := range r {
		l := line{Name: c.Name, OK: c.OK, Unknown: c.Unknown, Needed: c.Needed, Detail: c.Detail}
		if !c.OK {
			l.Fix = c.Fix
		}
		all.Checks = append(all.Checks, l)
	}
	return printIndented(w, all)
}

func printIndented(w io.Writer, v any) error {
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	return enc.Encode(v)
}

// word is the result of c, padded to the width of the column, and its colour on a terminal.
func (c Check) word() (word, colour string) {
	switch {
	case c.OK:
		return "ok     ", "\x1b[32m"
	case c.Unknown:
		return "unknown", "\x1b[33m"
	case c.Needed:
		return "MISSING", "\x1b[31m"
	default:
		return "without", "\x1b[33m"
	}
}

// Print writes the report for people, in colour on a terminal.
func (r Report) Print(w io.Writer) error {
	f, ok := w.(*os.File)
	coloured := ok && term.IsTerminal(int(f.Fd()))
	for _, c := range r {
		word, colour := c.word()
		if coloured {
			word = colour + word + "\x1b[0m"
		}
		if _, err := fmt.Fprintf(w, "%s  %-24s %s\n", word, c.Name, c.Detail); err != nil {
			return err
		}
		if !c.OK && c.Fix != "" {
			fmt.Fprintf(w, "%35s-> %s\n", "", c.Fix)
		}
	}
	return nil
}
