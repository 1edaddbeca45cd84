// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/urfave/cli/v3"
)

// manualCommand is for make install; whoever has ccee has --help. cli-docs would write one page for all commands, by way of Markdown.
func manualCommand() *cli.Command {
	return &cli.Command{
		Name: "manual", Usage: "write the manual pages", ArgsUsage: "DIR", Hidden: true,
		Description: "Writes a page of section 1 for ccee and for each of its commands into DIR.",
		Action: func(_ context.Context, cmd *cli.Command) error {
			if cmd.Args().Len() != 1 {
				return usageError{errors.New("manual takes one argument, the directory for the pages")}
			}
			return writePages(cmd.Args().First(), cmd.Root(), nil)
		},
	}
}

// writePages writes the page of a command, and those of the commands below it.
func writePages(dir string, cmd *cli.Command, above []string) error {
	names := append(above[:len(above):len(above)], cmd.Name)
	if err := os.WriteFile(filepath.Join(dir, strings.Join(names, "-")+".1"), []byte(page(cmd, names)), 0o644); err != nil {
		return fmt.Errorf("write a manual page: %w", err)
	}
	for _, sub := range subcommands(cmd) {
		if err := writePages(dir, sub, names); err != nil {
			return err
		}
	}
	return nil
}

// subcommands returns what --help lists, without help itself, which the library adds.
func subcommands(cmd *cli.Command) []*cli.Command {
	var subs []*cli.Command
	for _, sub := range cmd.VisibleCommands() {
		if sub.Name != "help" {
			subs = append(subs, sub)
		}
	}
	return subs
}

// page returns a command's manual page in the language of man(7).
func page(cmd *cli.Command, names []string) string {
	var b strings.Builder
	title := strings.Join(names, "-")
	fmt.Fprintf(&b, ".TH %s 1 \"\" \"ccee %s\" \"CCEE\"\n.SH NAME\n%s \\- %s\n", strings.ToUpper(roff(title)), version, roff(title), roff(cmd.Usage))
	arguments := cmd.ArgsUsage
	if len(subcommands(cmd)) > 0 {
		arguments = "COMMAND"
	}
	fmt.Fprintf(&b, ".SH SYNOPSIS\n.B %s\n[OPTIONS] %s\n", roff(strings.Join(names, " ")), roff(arguments))
	if cmd.Description != "" {
		b.WriteString(".SH DESCRIPTION\n" + paragraphs(cmd.Description))
	}
	if flags := cmd.VisibleFlags(); len(flags) > 0 {
		b.WriteString(".SH OPTIONS\n")
		for _, f := range flags {
			option, usage, _ := strings.Cut(f.String(), "\t")
			fmt.Fprintf(&b, ".TP\n.B %s\n%s\n", roff(option), roff(strings.TrimSpace(usage)))
		}
	}
	if subs := subcommands(cmd); len(subs) > 0 {
		b.WriteString(".SH COMMANDS\n")
		for _, sub := range subs {
			fmt.Fprintf(&b, ".TP\n.BR %s (1)\n%s\n", roff(title+"-"+sub.Name), roff(sub.Usage))
		}
	}
	if len(names) > 1 {
		fmt.Fprintf(&b, ".SH SEE ALSO\n.BR %s (1)\n", roff(strings.Join(names[:len(names)-1], "-")))
	}
	return b.String()
}

// paragraphs keeps the lines that are indented, which are examples, and lets man fill the rest.
func paragraphs(text string) string {
	var b strings.Builder
	example := false
	for line := range strings.SplitSeq(strings.TrimSpace(text), "\n") {
		if indented := strings.HasPrefix(line, "   "); indented != example && line != "" {
			example = indented
			if example {
				b.WriteString(".nf\n")
			} else {
				b.WriteString(".fi\n")
			}
		}
		if line == "" {
			b.WriteString(".PP\n")
			continue
		}
		b.WriteString(roff(line) + "\n")
	}
	if example {
		b.WriteString(".fi\n")
	}
	return b.String()
}

// roff escapes what troff would take as its own: backslashes, hyphens that are to stay ASCII, and a line's first dot or quote.
func roff(s string) string {
	s = strings.NewReplacer(`\`, `\e`, "-", `\-`).Replace(s)
	if strings.HasPrefix(s, ".") || strings.HasPrefix(s, "'") {
		s = `\&` + s
	}
	return s
}
