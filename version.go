// SPDX-License-Identifier: Apache-2.0

// Package ccee is the root of the module and holds its version; the programs are in cmd, the packages that the API, the worker and the
// daemon are made of beside it. ARCHITECTURE.md says what to read first.
package ccee

import (
	_ "embed"
	"strings"
)

//go:embed VERSION
var versionFile string

// Version returns the version in the file VERSION, as in semver.org without a leading v: the last release, or the one being prepared.
func Version() string { return strings.TrimSpace(versionFile) }
