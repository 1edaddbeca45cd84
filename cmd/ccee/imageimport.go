// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/ccee-dev/ccee/job"
	"github.com/ccee-dev/ccee/rootfs"

	"github.com/urfave/cli/v3"
)

func imageImportCommand() *cli.Command {
	return &cli.Command{
		Name:      "import",
		Usage:     "import an OCI image layout (directory or tar) or the output of docker save",
		ArgsUsage: "SOURCE",
		Flags: []cli.Flag{
			imagesFlag(),
			&cli.StringFlag{Name: "name", Usage: "`NAME` of the image in the store (default: the language's)"},
			&cli.StringFlag{Name: "language", Usage: "`FILE` with the language profile (like images/python/language.json), for an image that has none"},
		},
		Action: withStore(imageImport),
	}
}

func imageImport(ctx context.Context, cmd *cli.Command, store *rootfs.Store) error {
	if cmd.Args().Len() != 1 {
		return usageError{errors.New("name one source: a directory or a tar archive")}
	}
	name, o := cmd.String("name"), rootfs.ImportOptions{}
	if file := cmd.String("language"); file != "" {
		lang, err := readLanguage(file)
		if err != nil {
			return err
		}
		if o.Language, err = json.Marshal(lang); err != nil {
			return err
		}
	}
	img, err := store.Import(ctx, cmd.Args().First(), name, o)
	if err != nil {
		return err
	}
	fmt.Fprintf(cmd.Root().Writer, "%s: imported, %.1f MiB, %s\n", img.Name, float64(img.Size)/(1<<20), img.Digest)
	if img.Labels[rootfs.LabelLanguage] == "" {
		fmt.Fprintf(cmd.Root().ErrWriter, "%s has no language profile, so no job can use it: import it with --language FILE\n", img.Name)
	}
	return nil
}

// readLanguage reads a language profile. People write it, so an unknown member, which may be misspelt, is an error.
func readLanguage(file string) (job.Language, error) {
	f, err := os.Open(file)
	if err != nil {
		return job.Language{}, err
	}
	defer f.Close()
	return decodeLanguage(file, f)
}

// decodeLanguage reads a language profile; file is its name for errors.
func decodeLanguage(file string, r io.Reader) (job.Language, error) {
	var lang job.Language
	d := json.NewDecoder(r)
	d.DisallowUnknownFields()
	if err := d.Decode(&lang); err != nil {
		return job.Language{}, fmt.Errorf("language profile %s: %w", file, err)
	}
	if lang.Name == "" || lang.SourceFile == "" || len(lang.Run) == 0 {
		return job.Language{}, fmt.Errorf("language profile %s: name, sourceFile and run are required", file)
	}
	return lang, nil
}
