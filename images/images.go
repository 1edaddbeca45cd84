// Package images has the profiles of the languages whose images are built from this directory, and their hello programs. It is data: the
// recipes in the same directory make the images, and each image has its profile in a label.
package images

import (
	"embed"
	"io/fs"
	"path"
)

// Profiles has NAME/language.json for each language: a job.Language without a version, which only the built image has.
//
//go:embed */language.json
var Profiles embed.FS

// hellos has NAME/hello.* for each language: its hello program, and the output of that (hello.out).
//
//go:embed */hello.*
var hellos embed.FS

// Hello is the hello program of a language, and its output; false for a language without a recipe here.
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
