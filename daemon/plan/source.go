// SPDX-License-Identifier: Apache-2.0

package plan

import (
	"path"
	"strings"

	"github.com/ccee-dev/ccee/daemon/javasource"
	"github.com/ccee-dev/ccee/job"
)

// sourceNames returns the name of the source file and the class to start. For a language with PublicClass the file is named
// after the public type, as javac demands, unless no file can have that name: then javac explains what is wrong.
func sourceNames(spec *job.Spec, lang *job.Language) (file, class string, err error) {
	file = lang.SourceFile
	ext := path.Ext(file)
	class = strings.TrimSuffix(path.Base(file), ext)
	text := spec.Source
	if text == "" {
		data, ok := fileNamed(spec.Files, file)
		if !ok {
			return "", "", job.Invalid("sourceCode", "is required, unless files has %s", file)
		}
		text = string(data)
	}
	if !lang.PublicClass {
		return file, class, nil
	}
	var others []string
	for _, f := range spec.Files {
		if path.Ext(f.Name) == ext && f.Name != file {
			others = append(others, string(f.Data))
		}
	}
	public, class := javasource.Names(text, class, others)
	if named := path.Join(path.Dir(file), public+ext); public != "" && spec.Source != "" && free(named, spec.Files) {
		file = named
	}
	return file, class, nil
}

// free reports whether a file of that name can exist beside files.
func free(name string, files []job.File) bool {
	for _, f := range files {
		if f.Name == name || strings.HasPrefix(f.Name, name+"/") || strings.HasPrefix(name, f.Name+"/") {
			return false
		}
	}
	return job.ValidName(name) == nil
}

// fileNamed returns the content of the file of that name; false if there is none.
func fileNamed(files []job.File, name string) ([]byte, bool) {
	for _, f := range files {
		if f.Name == name {
			return f.Data, true
		}
	}
	return nil, false
}
