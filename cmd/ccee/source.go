package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"unicode/utf8"

	"ccee/api/job"

	"golang.org/x/term"
)

// readProgram reads a source file and, unless stdin is a terminal, stdin. Its errors are the user's: no such file, too large.
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

// asText returns a program as the text that JSON can carry. One that isn't UTF-8, such as a Python program that declares another encoding, goes as
// the file that the language takes its program from.
func asText(source []byte, language string, languages []job.Language) (text string, files []job.File) {
	i := slices.IndexFunc(languages, func(l job.Language) bool { return l.Name == language })
	if utf8.Valid(source) || i < 0 {
		return string(source), nil
	}
	return "", []job.File{{Name: languages[i].SourceFile, Data: source}}
}

// pickLanguage returns the name of the wanted language or, when none is asked for, of the one whose source files end like
// file.
func pickLanguage(wanted, file string, languages []job.Language) (string, error) {
	var known []string
	for _, l := range languages {
		if wanted == l.Name || slices.Contains(l.Aliases, wanted) {
			return l.Name, nil
		}
		if ext := filepath.Ext(file); wanted == "" && ext != "" && ext == filepath.Ext(l.SourceFile) {
			return l.Name, nil
		}
		known = append(known, fmt.Sprintf("%s (%s)", l.Name, filepath.Ext(l.SourceFile)))
	}
	list := strings.Join(known, ", ")
	switch {
	case list == "":
		return "", fmt.Errorf("the daemon has no language image: run make images, see ccee image list")
	case wanted != "":
		return "", fmt.Errorf("there is no language %q: the daemon has %s", wanted, list)
	default:
		return "", fmt.Errorf("%s does not tell its language by its extension: name one with --language; the daemon has %s", file, list)
	}
}
