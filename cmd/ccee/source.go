// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/ccee-dev/ccee/job"

	"golang.org/x/term"
)

// readProgram reads a source file and, unless stdin is a terminal, stdin. Its errors are mistakes of the user: no such file, too large.
func readProgram(file string) (source, stdin []byte, err error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, nil, err
	}
	defer f.Close()
	if source, err = readBounded(f, file, job.MaxSourceBytes); err != nil {
		return nil, nil, err
	}
	if len(source) == 0 {
		return nil, nil, fmt.Errorf("%s is empty", file)
	}
	if term.IsTerminal(int(os.Stdin.Fd())) {
		return source, nil, nil
	}
	stdin, err = readBounded(os.Stdin, "stdin", job.MaxStdinBytes)
	return source, stdin, err
}

// wireSource returns a source in the form that a job carries. JSON carries only UTF-8: a source in another encoding, which Python and Java
// support, becomes a file of the job, whose bytes are carried unchanged.
func wireSource(source []byte, sourceFile string) (text string, files []job.File) {
	if utf8.Valid(source) {
		return string(source), nil
	}
	return "", []job.File{{Name: sourceFile, Data: source}}
}

// checkArgs refuses arguments that JSON can't carry: the program would get another text.
func checkArgs(args []string) error {
	for i, a := range args {
		if !utf8.ValidString(a) {
			return fmt.Errorf("argument %d is not UTF-8: pass it in a file or on stdin, whose bytes are not changed", i+1)
		}
	}
	return nil
}

func readBounded(r io.Reader, name string, max int64) ([]byte, error) {
	b, err := io.ReadAll(io.LimitReader(r, max+1))
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", name, err)
	}
	if int64(len(b)) > max {
		return nil, fmt.Errorf("%s is larger than the %d bytes that a job may have", name, max)
	}
	return b, nil
}

// pickLanguage returns the wanted language or, when none is named, the one whose source files have the extension of file.
func pickLanguage(wanted, file string, languages []job.Language) (job.Language, error) {
	var known []string
	for _, l := range languages {
		if wanted == l.Name || slices.Contains(l.Aliases, wanted) {
			return l, nil
		}
		if ext := filepath.Ext(file); wanted == "" && ext != "" && ext == filepath.Ext(l.SourceFile) {
			return l, nil
		}
		known = append(known, fmt.Sprintf("%s (%s)", l.Name, filepath.Ext(l.SourceFile)))
	}
	list := strings.Join(known, ", ")
	switch {
	case list == "":
		return job.Language{}, fmt.Errorf("the daemon has no language image: run make images, see ccee image list")
	case wanted != "":
		return job.Language{}, fmt.Errorf("there is no language %q: the daemon has %s", wanted, list)
	default:
		return job.Language{}, fmt.Errorf("the extension of %s belongs to no language: name one with --language; the daemon has %s", file, list)
	}
}
