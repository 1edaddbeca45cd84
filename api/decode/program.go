// SPDX-License-Identifier: Apache-2.0

package decode

import (
	"encoding/base64"
	"fmt"
	"slices"
	"strings"

	"github.com/ccee-dev/ccee/job"
)

// maxTextChars bounds sourceCode and stdin, in UTF-16 code units.
const maxTextChars = 100_000

// language returns the language that was asked for, by its name or an alias.
func (o *object) language(known []job.Language) job.Language {
	names := make([]string, len(known))
	for i, l := range known {
		names[i] = l.Name
	}
	raw, there := o.members["language"]
	switch {
	case !there:
		o.wrong("language", msgRequired)
		return job.Language{}
	case kind(raw) != "string":
		o.wrong("language", msgType(quoteAll(names, " | "), kind(raw)))
		return job.Language{}
	}
	name := text(raw)
	for _, l := range known {
		if l.Name == name || slices.Contains(l.Aliases, name) {
			return l
		}
	}
	o.wrong("language", msgEnum(names, name))
	return job.Language{}
}

// sourceCode returns the program's text. It may be absent when the language's source file is among files. Where it is given,
// no file may be in its way.
func (o *object) sourceCode(lang job.Language, files []job.File) string {
	inFiles := lang.SourceFile != "" && slices.ContainsFunc(files, func(f job.File) bool { return f.Name == lang.SourceFile })
	source, ok := o.text("sourceCode")
	switch _, there := o.members["sourceCode"]; {
	case !there && !inFiles:
		o.wrong("sourceCode", msgRequired)
	case !ok: // absent, or not a string, which is noted
	case source == "":
		o.wrong("sourceCode", msgMinChars(1))
	case utf16Len(source) > maxTextChars:
		o.wrong("sourceCode", msgMaxChars(maxTextChars))
	case inFiles:
		o.wrong("files", fmt.Sprintf("%s is the file that sourceCode is written to: give one of the two", lang.SourceFile))
	default:
		o.keepClear(lang.SourceFile, files)
	}
	return source
}

// keepClear notes a file below the one that sourceCode is written to, or one where its directory must be.
func (o *object) keepClear(source string, files []job.File) {
	for _, f := range files {
		switch {
		case source == "": // the language is not known, which is noted
		case strings.HasPrefix(f.Name, source+"/"):
			o.wrong("files", fmt.Sprintf("%s is the file that sourceCode is written to, so it can't be the directory of %q", source, f.Name))
		case strings.HasPrefix(source, f.Name+"/"):
			o.wrong("files", fmt.Sprintf("%s is the directory of %s, where sourceCode is written to, so it can't be a file", f.Name, source))
		}
	}
}

// stdin returns the program's input, from text or from base64.
func (o *object) stdin() []byte {
	if _, there := o.members["stdinBase64"]; !there {
		s, _ := o.text("stdin")
		if utf16Len(s) > maxTextChars {
			o.wrong("stdin", msgMaxChars(maxTextChars))
		}
		return []byte(s)
	}
	if _, both := o.members["stdin"]; both {
		o.wrong("stdinBase64", "Give stdin or stdinBase64, not both")
	}
	data, _ := o.base64("stdinBase64")
	return data
}

// base64 decodes a member.
func (o *object) base64(name string) ([]byte, bool) {
	s, ok := o.text(name)
	if !ok {
		return nil, false
	}
	data, err := base64.StdEncoding.DecodeString(s)
	if err != nil {
		o.wrong(name, "Invalid base64")
		return nil, false
	}
	return data, true
}

// files returns the files to put beside the source. job.Spec checks their names.
func (o *object) files() []job.File {
	var files []job.File
	for i, raw := range o.list("files", job.MaxFiles) {
		path := fmt.Sprintf("[%d]", i)
		if k := kind(raw); k != "object" {
			o.wrong("files", path+": "+msgType("object", k))
			continue
		}
		f := o.element("files", i, raw)
		f.only("name", "content", "contentBase64", "executable")
		files = append(files, f.file())
	}
	return files
}

// file returns one element of files.
func (o *object) file() job.File {
	name, ok := o.text("name")
	if _, there := o.members["name"]; !ok && !there {
		o.wrong("name", msgRequired)
	}
	file := job.File{Name: name, Exec: o.flag("executable")}
	_, plain := o.members["content"]
	_, coded := o.members["contentBase64"]
	switch {
	case plain && coded:
		o.wrong("contentBase64", "Give content or contentBase64, not both")
	case coded:
		file.Data, _ = o.base64("contentBase64")
	case plain:
		s, _ := o.text("content")
		file.Data = []byte(s)
	default:
		o.wrong("content", msgRequired)
	}
	return file
}
