// SPDX-License-Identifier: Apache-2.0

package job

import (
	"fmt"
	"path"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Bounds of a Spec. They are checked by Validate at every edge: the API, the daemon.
const (
	MaxSourceBytes = 1_000_000 // bytes of Spec.Source
	MaxStdinBytes  = 1_000_000 // bytes of Spec.Stdin
	MaxFiles       = 64        // Spec.Files
	MaxFileBytes   = 1_000_000 // bytes of all Spec.Files together
	MaxNameBytes   = 255       // bytes of a file's whole name
	MaxNameDepth   = 8         // path elements of a file's name
	MaxArgs        = 256       // Spec.Args
	MaxEnv         = 64        // Spec.Env
	MaxArgBytes    = 32_768    // bytes of all Args, and of all Env names and values
	MaxIDBytes     = 128       // bytes of Spec.ID and Spec.Tenant
)

// The networks of a job. None of them leads out of the job.
const (
	NetworkNone     = "none"     // no sockets but AF_UNIX
	NetworkLoopback = "loopback" // TCP and UDP on 127.0.0.1 and ::1, which are the job's own
)

// Spec is one job: a program, its input and its limits.
type Spec struct {
	ID      string `json:"id"`               // unique; the API gives UUID v4
	Tenant  string `json:"tenant,omitempty"` // for logs and accounting; the daemon needs none
	Attempt int    `json:"attempt,omitempty"`
	// TraceParent is the trace that the job belongs to (W3C Trace Context); "" is none.
	TraceParent string `json:"traceparent,omitempty"`
	Language    string `json:"language"`

	// Source is the program's text, written to the language's source file. Empty only when Files has that file.
	Source string `json:"sourceCode,omitempty"`
	// Files are written beside the source before the first step.
	Files []File `json:"files,omitempty"`
	// Args follow the program's name in the run step.
	Args []string `json:"args,omitempty"`
	// Env is added to the language's environment in the run step and wins over it.
	Env map[string]string `json:"env,omitempty"`
	// Stdin is the run step's standard input; compile steps get none. base64 in JSON.
	Stdin []byte `json:"stdin,omitempty"`

	// OutputFiles are globs, see ParseGlobs: the files that match are returned as Result.OutputFiles.
	OutputFiles []string `json:"outputFiles,omitempty"`

	// Compile and Run override the server's default limits of the two steps; a zero field keeps the default.
	Compile Limits `json:"compile,omitzero"`
	Run     Limits `json:"run,omitzero"`

	// Network is the network of the job's programs: NetworkNone or NetworkLoopback. "" is the server's default.
	Network string `json:"network,omitempty"`

	// Interleave asks for Step.Interleaving. Each write of the program then waits until it was read.
	Interleave bool `json:"interleave,omitempty"`

	// Tests, if not nil, replace the one run of the program.
	Tests *Tests `json:"tests,omitempty"`
}

// File is one file put into the job's working directory.
type File struct {
	Name string `json:"name"` // relative, slash-separated, no "..": see ValidName
	Data []byte `json:"data"` // base64 in JSON
	Exec bool   `json:"exec,omitempty"`
}

// Validate reports the first member of s that no daemon would take, as an *Error with code EInvalid. It knows neither the
// languages nor the server's limit bounds: those are checked where they are known.
func (s *Spec) Validate() error {
	switch {
	case s.ID == "" || len(s.ID) > MaxIDBytes || !plain(s.ID):
		return Invalid("id", "must be 1 to %d characters of A-Z a-z 0-9 _ . : -", MaxIDBytes)
	case len(s.Tenant) > MaxIDBytes:
		return Invalid("tenant", "must be at most %d bytes", MaxIDBytes)
	case len(s.TraceParent) > MaxIDBytes:
		return Invalid("traceparent", "must be at most %d bytes", MaxIDBytes)
	case s.Language == "":
		return Invalid("language", "is required")
	case s.Source == "" && len(s.Files) == 0:
		return Invalid("sourceCode", "is required")
	case len(s.Source) > MaxSourceBytes:
		return Invalid("sourceCode", "has %d bytes, at most %d are allowed", len(s.Source), MaxSourceBytes)
	case s.Network != "" && s.Network != NetworkNone && s.Network != NetworkLoopback:
		return Invalid("network", "is %q, it must be %q or %q", clip(s.Network, 80), NetworkNone, NetworkLoopback)
	case len(s.Stdin) > MaxStdinBytes:
		return Invalid("stdin", "has %d bytes, at most %d are allowed", len(s.Stdin), MaxStdinBytes)
	}
	if err := s.validFiles(); err != nil {
		return err
	}
	if _, err := ParseGlobs(s.OutputFiles); err != nil {
		return err
	}
	if err := s.validArgs(); err != nil {
		return err
	}
	return s.validTests()
}

func (s *Spec) validFiles() error {
	if len(s.Files) > MaxFiles {
		return Invalid("files", "has %d entries, at most %d are allowed", len(s.Files), MaxFiles)
	}
	total, seen := 0, map[string]bool{}
	for _, f := range s.Files {
		if err := ValidName(f.Name); err != nil {
			return err
		}
		if seen[f.Name] {
			return Invalid("files", "names %q twice", f.Name)
		}
		seen[f.Name] = true
		total += len(f.Data)
	}
	if total > MaxFileBytes {
		return Invalid("files", "have %d bytes together, at most %d are allowed", total, MaxFileBytes)
	}
	for _, f := range s.Files {
		for dir := path.Dir(f.Name); dir != "."; dir = path.Dir(dir) {
			if seen[dir] {
				return Invalid("files", "names %q both as a file and as the directory of %q", dir, f.Name)
			}
		}
	}
	return nil
}

func (s *Spec) validArgs() error {
	if len(s.Args) > MaxArgs {
		return Invalid("args", "has %d entries, at most %d are allowed", len(s.Args), MaxArgs)
	}
	total := 0
	for _, a := range s.Args {
		if strings.ContainsRune(a, 0) {
			return Invalid("args", "must not contain NUL")
		}
		total += len(a) + 1
	}
	if total > MaxArgBytes {
		return Invalid("args", "have %d bytes together, at most %d are allowed", total, MaxArgBytes)
	}
	if len(s.Env) > MaxEnv {
		return Invalid("env", "has %d entries, at most %d are allowed", len(s.Env), MaxEnv)
	}
	total = 0
	for k, v := range s.Env {
		if !envName(k) {
			return Invalid("env", "has the name %q: use A-Z a-z 0-9 _, not starting with a digit", k)
		}
		if strings.ContainsRune(v, 0) {
			return Invalid("env", "must not contain NUL")
		}
		total += len(k) + len(v) + 2
	}
	if total > MaxArgBytes {
		return Invalid("env", "has %d bytes together, at most %d are allowed", total, MaxArgBytes)
	}
	return nil
}

// ValidName reports why name can't be a file in a job's working directory: it must be relative and clean, without "..",
// NUL, backslash or control characters, at most MaxNameBytes long and MaxNameDepth deep.
func ValidName(name string) error {
	if why := nameFault(name); why != "" {
		return Invalid("files", "has the name %q: %s", clip(name, 80), why)
	}
	return nil
}

func nameFault(name string) string {
	switch {
	case name == "":
		return "it must not be empty"
	case len(name) > MaxNameBytes:
		return fmt.Sprintf("it must be at most %d bytes", MaxNameBytes)
	case !utf8.ValidString(name):
		return "it must be UTF-8"
	case strings.HasPrefix(name, "/"):
		return "it must be relative"
	case strings.ContainsFunc(name, func(r rune) bool { return unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r) || r == '\\' }):
		return "it must not contain control characters or backslashes"
	case path.Clean(name) != name || name == "." || name == ".." || strings.HasPrefix(name, "../"):
		return "it must not climb out of the working directory or contain empty, . or .. elements"
	case strings.Count(name, "/") >= MaxNameDepth:
		return fmt.Sprintf("it must be at most %d elements deep", MaxNameDepth)
	}
	return ""
}

func envName(s string) bool {
	for i := range len(s) {
		c := s[i]
		letter := c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z' || c == '_'
		if !letter && (i == 0 || c < '0' || c > '9') {
			return false
		}
	}
	return s != ""
}

func plain(s string) bool {
	for i := range len(s) {
		c := s[i]
		if !(c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || strings.IndexByte("_.:-", c) >= 0) {
			return false
		}
	}
	return true
}

func clip(s string, n int) string {
	if len(s) <= n {
		return s
	}
	return s[:n] + "..."
}
