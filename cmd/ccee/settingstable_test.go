// SPDX-License-Identifier: Apache-2.0

package main

import (
	"cmp"
	"flag"
	"fmt"
	"io"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/urfave/cli/v3"
)

var update = flag.Bool("update", false, "write the table of settings into OPERATIONS.md")

// row is a setting with a flag, and the commands that have it with the same default and meaning.
type row struct {
	variables, name, value, usage string
	commands                      []string
}

// rows adds the settings of a command and those below it that have an environment variable; path names the command, "image build".
func rows(c *cli.Command, path string, known []row) []row {
	for _, f := range c.Flags {
		d, ok := f.(cli.DocGenerationFlag)
		if v, visible := f.(cli.VisibleFlag); !ok || len(d.GetEnvVars()) == 0 || visible && !v.IsVisible() {
			continue
		}
		r := row{strings.Join(d.GetEnvVars(), ", "), f.Names()[0], d.GetValue(), d.GetUsage(), nil}
		if s, text := f.(*cli.StringFlag); text {
			r.value = s.Value // GetValue quotes it
		}
		i := slices.IndexFunc(known, func(k row) bool { return k.variables == r.variables && k.value == r.value && k.usage == r.usage })
		if i < 0 {
			i = len(known)
			known = append(known, r)
		}
		known[i].commands = append(known[i].commands, path)
	}
	for _, sub := range c.Commands {
		known = rows(sub, strings.TrimSpace(path+" "+sub.Name), known)
	}
	return known
}

// settingsTable is the table in OPERATIONS.md.
func settingsTable(root *cli.Command) string {
	var b strings.Builder
	line := func(cells ...string) {
		for i, c := range cells {
			cells[i] = strings.ReplaceAll(c, "|", `\|`)
		}
		fmt.Fprintf(&b, "| %s |\n", strings.Join(cells, " | "))
	}
	line("variable", "flag", "default", "commands", "what")
	line("---", "---", "---", "---", "---")
	for _, s := range secretSettings() {
		line("`"+s.name+"`", "", "", s.commands, s.usage)
	}
	for _, r := range rows(root, "", nil) {
		commands := strings.Join(r.commands, ", ")
		if len(r.commands) > 6 {
			commands = strings.Join(r.commands[:4], ", ") + " ..."
		}
		line("`"+r.variables+"`", "`--"+r.name+"`", cmp.Or(r.value, "none"), commands, r.usage)
	}
	return b.String()
}

// TestSettingsTable: the table in OPERATIONS.md is that of the flags: go test ./cmd/ccee -run SettingsTable -update
func TestSettingsTable(t *testing.T) {
	const file = "../../OPERATIONS.md"
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	const begin, end = "<!-- made of the flags: go test ./cmd/ccee -run SettingsTable -update -->\n", "<!-- end -->\n"
	old := regexp.MustCompile("(?s)" + regexp.QuoteMeta(begin) + "(.*?)" + regexp.QuoteMeta(end))
	m := old.FindSubmatch(text)
	if m == nil {
		t.Fatalf("%s has no table between %q and %q", file, begin, end)
	}
	want := settingsTable(app(io.Discard, io.Discard))
	if string(m[1]) == want {
		return
	}
	if !*update {
		t.Fatalf("the table of settings in OPERATIONS.md is not that of the flags: go test ./cmd/ccee -run SettingsTable -update\nwant\n%s", want)
	}
	whole := old.ReplaceAllLiteral(text, []byte(begin+want+end))
	if err := os.WriteFile(file, whole, 0o644); err != nil {
		t.Fatal(err)
	}
}
