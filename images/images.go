// Package images has the profiles of the languages whose images are built from this directory. It is data: the recipes beside it make the
// images, and an image carries its profile itself.
package images

import "embed"

// Profiles holds NAME/language.json for each language: a job.Language without a version, which only the built image has.
//
//go:embed */language.json
var Profiles embed.FS
