package daemon

import (
	"path"
	"strings"

	"github.com/ccee-dev/ccee/daemon/javasource"
	"github.com/ccee-dev/ccee/job"
)

// sourceNames says where the source goes and by which class it is started. For a language with PublicClass the file is named
// after the public type, as javac demands, if a file can be there: else javac is the one to say why that is no program.
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

// free reports whether a file of that name can be beside files.
func free(name string, files []job.File) bool {
	for _, f := range files {
		if f.Name == name || strings.HasPrefix(f.Name, name+"/") || strings.HasPrefix(name, f.Name+"/") {
			return false
		}
	}
	return job.ValidName(name) == nil
}

func fileNamed(files []job.File, name string) ([]byte, bool) {
	for _, f := range files {
		if f.Name == name {
			return f.Data, true
		}
	}
	return nil, false
}
