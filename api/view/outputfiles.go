// SPDX-License-Identifier: Apache-2.0

package view

import (
	"encoding/base64"
	"unicode/utf8"

	"github.com/ccee-dev/ccee/job"
)

// OutputFiles are the files that a job hands back.
type OutputFiles struct {
	Files   []OutputFile  `json:"files"`
	Skipped []job.Skipped `json:"skipped"`
	More    int           `json:"more"`
}

// OutputFile is one file, with the members of a submission's file.
type OutputFile struct {
	Name          string  `json:"name"`
	Bytes         int     `json:"bytes"`
	Content       *string `json:"content,omitempty"` // when it is text
	ContentBase64 *string `json:"contentBase64,omitempty"`
	Executable    bool    `json:"executable"`
}

// newOutputFiles shows each file as text when it is UTF-8, else as base64; coded asks for base64.
func newOutputFiles(out *job.OutputFiles, coded bool) *OutputFiles {
	if out == nil {
		return nil
	}
	v := &OutputFiles{Files: make([]OutputFile, len(out.Files)), Skipped: append([]job.Skipped{}, out.Skipped...), More: out.More}
	for i, f := range out.Files {
		file := OutputFile{Name: f.Name, Bytes: len(f.Data), Executable: f.Exec}
		if coded || !utf8.Valid(f.Data) {
			text := base64.StdEncoding.EncodeToString(f.Data)
			file.ContentBase64 = &text
		} else {
			text := string(f.Data)
			file.Content = &text
		}
		v.Files[i] = file
	}
	return v
}
