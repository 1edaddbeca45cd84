// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/ccee-dev/ccee/images"
	"github.com/ccee-dev/ccee/job"
	"github.com/ccee-dev/ccee/queue"

	"github.com/urfave/cli/v3"
)

// noLanguages is the value of --languages for none.
const noLanguages = "none"

func languagesFlag() cli.Flag {
	return stringFlag("languages", "CCEE_LANGUAGES", "", "`FILE` with the languages that are accepted before a worker has announced them, in the form of GET /v1/languages "+
		"on a daemon's socket; "+noLanguages+": no further language (default: those that ccee has images for)")
}

// seedLanguages reads the languages of --languages.
func seedLanguages(file string) ([]job.Language, error) {
	switch file {
	case "":
		return ownLanguages()
	case noLanguages:
		return nil, nil
	}
	b, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("CCEE_LANGUAGES: %w", err)
	}
	var list struct {
		Languages []job.Language `json:"languages"`
	}
	if err := json.Unmarshal(b, &list); err != nil {
		return nil, fmt.Errorf("CCEE_LANGUAGES: %s: %w", file, err)
	}
	if len(list.Languages) == 0 {
		return nil, fmt.Errorf(`CCEE_LANGUAGES: %s: it has no languages: it must be {"languages":[...]}, in the form of GET /v1/languages on a daemon's socket`, file)
	}
	for i, l := range list.Languages {
		if l.Name == "" || l.SourceFile == "" {
			return nil, fmt.Errorf("CCEE_LANGUAGES: %s: language %d has no name or no sourceFile", file, i+1)
		}
	}
	return list.Languages, nil
}

// ownLanguages returns those that images can be built for.
func ownLanguages() ([]job.Language, error) {
	files, err := fs.Glob(images.Profiles, "*/language.json")
	if err != nil {
		return nil, err
	}
	list := make([]job.Language, len(files))
	for i, file := range files {
		b, err := images.Profiles.ReadFile(file)
		if err == nil {
			err = json.Unmarshal(b, &list[i])
		}
		if err != nil {
			return nil, fmt.Errorf("the language of images/%s: %w", file, err)
		}
	}
	return list, nil
}

func languageCommand() *cli.Command {
	return &cli.Command{
		Name:  "language",
		Usage: "list the languages that the api accepts, or forget one",
		Description: `The api accepts a language for 30 days after the last worker that offered it: a job waits for such a worker. Forget a language by hand
when it was taken out of service for good:

   ccee language list
   ccee language forget ruby

` + redisHelp,
		Commands: []*cli.Command{
			{Name: "list", Usage: "list them, and which of them can run now", Flags: queueFlags(), Action: noArgs(listLanguages)},
			{Name: "forget", Usage: "refuse them until a worker offers them again", ArgsUsage: "LANGUAGE...", Flags: queueFlags(), Action: forgetLanguages},
		},
	}
}

func listLanguages(ctx context.Context, cmd *cli.Command) error {
	q, err := openQueue(cmd)
	if err != nil {
		return err
	}
	defer q.Close()
	f, err := q.Fleet(ctx)
	if err != nil {
		return hinted(err)
	}
	w := tabwriter.NewWriter(cmd.Root().Writer, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "LANGUAGE\tVERSION\tRUNS NOW")
	for _, l := range f.Known {
		fmt.Fprintf(w, "%s\t%s\t%s\n", l.Name, l.Version, yesNo(runs(f, l.Name)))
	}
	for _, worker := range slices.Sorted(maps.Keys(f.Warnings)) {
		for _, warning := range f.Warnings[worker] {
			fmt.Fprintf(cmd.Root().ErrWriter, "warning of worker %s: %s\n", worker, warning)
		}
	}
	return w.Flush()
}

func runs(f queue.Fleet, language string) bool {
	for _, l := range f.Now {
		if l.Name == language {
			return true
		}
	}
	return false
}

func yesNo(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}

func forgetLanguages(ctx context.Context, cmd *cli.Command) error {
	if !cmd.Args().Present() {
		return usageError{errors.New("name the languages to forget: see ccee language list")}
	}
	q, err := openQueue(cmd)
	if err != nil {
		return err
	}
	defer q.Close()
	var unknown []string
	for _, name := range cmd.Args().Slice() {
		switch known, err := q.ForgetLanguage(ctx, name); {
		case err != nil:
			return hinted(err)
		case !known:
			unknown = append(unknown, name)
		}
	}
	if len(unknown) > 0 {
		return fmt.Errorf("unknown languages: %s", strings.Join(unknown, ", "))
	}
	return nil
}
