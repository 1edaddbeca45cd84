// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path"

	"github.com/ccee-dev/ccee/job"

	"github.com/urfave/cli/v3"
)

func outputFileFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringSliceFlag{Name: "out", Usage: "save the files of the program that match `GLOB`: * within a name, ** across directories; may be repeated"},
		&cli.StringFlag{Name: "out-dir", Value: ".", Usage: "`DIR` for these files; no file in it is overwritten"},
	}
}

// saveFiles writes a job's output files below dir, which it makes if need be. The names come from a hostile program: none can lead
// out of dir, whatever links are in it, and none replaces a file.
func saveFiles(dir string, out *job.OutputFiles, errs io.Writer) error {
	if out == nil {
		return nil
	}
	for _, s := range out.Skipped {
		fmt.Fprintf(errs, "ccee: not saved: %q: %s\n", s.Name, s.Reason)
	}
	if out.More > 0 {
		fmt.Fprintf(errs, "ccee: not saved: %d more files\n", out.More)
	}
	if len(out.Files) == 0 {
		return nil
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer root.Close()
	var failed []error
	for _, f := range out.Files {
		failed = append(failed, saveFile(root, f))
	}
	return errors.Join(failed...)
}

func saveFile(root *os.Root, f job.File) error {
	if err := job.ValidName(f.Name); err != nil {
		return err
	}
	if err := root.MkdirAll(path.Dir(f.Name), 0o755); err != nil {
		return fmt.Errorf("%s: %w", root.Name(), err)
	}
	mode := os.FileMode(0o644)
	if f.Exec {
		mode = 0o755
	}
	w, err := root.OpenFile(f.Name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if err != nil {
		return fmt.Errorf("%s: %w", root.Name(), err)
	}
	_, err = w.Write(f.Data)
	return errors.Join(err, w.Close())
}
