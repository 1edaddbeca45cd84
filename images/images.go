// Package images has the profiles of the languages whose images are built from this directory, and their first programs. It is data: the recipes beside it make the
// images, and an image carries its profile itself.
package images

import (
	"embed"
	"io/fs"
	"path"
)

// Profiles holds NAME/language.json for each language: a job.Language without a version, which only the built image has.
//
//go:embed */language.json
var Profiles embed.FS

// hellos holds NAME/hello.* for each language: its first program, and what that prints (hello.out).
//
//go:embed */hello.*
var hellos embed.FS

// Hello is the first program of a language, and what it prints; false for a language that has no recipe here.
func Hello(language string) (source, prints string, ok bool) {
	files, _ := fs.Glob(hellos, language+"/hello.*")
	for _, file := range files {
		b, err := hellos.ReadFile(file)
		switch {
		case err != nil:
			return "", "", false
		case path.Ext(file) == ".out":
			prints = string(b)
		default:
			source = string(b)
		}
	}
	return source, prints, source != "" && prints != ""
}
