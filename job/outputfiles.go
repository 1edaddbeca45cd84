// SPDX-License-Identifier: Apache-2.0

package job

import (
	"encoding/json"
	"strings"
	"unicode/utf8"
)

// OutputFiles are the files that a job left in its working directory and that its globs match, in the order of their names. A file
// comes whole or not at all; two names of one file are two files. It has the form in which files go into a job, and every name is
// one that could go in.
type OutputFiles struct {
	Files   []File    `json:"files"`
	Skipped []Skipped `json:"skipped,omitempty"` // the first of the matched files that are not in Files
	More    int       `json:"more,omitempty"`    // skipped beyond those
}

// Skipped is a matched file that is not handed back.
type Skipped struct {
	Name   string // any bytes but NUL
	Reason SkipReason
	Bytes  int64 // its size, for SkipTooLarge and SkipNoRoom
}

// SkipReason is why a file is not handed back.
type SkipReason string

// The reasons. The first are of things that are no regular files: they are not even opened.
const (
	SkipSymlink   SkipReason = "symlink"
	SkipFIFO      SkipReason = "fifo"
	SkipSocket    SkipReason = "socket"
	SkipDevice    SkipReason = "device"
	SkipDirectory SkipReason = "directory" // it is matched, and no glob goes into it

	SkipName       SkipReason = "name"       // no ValidName: control characters, not UTF-8, too long
	SkipTooDeep    SkipReason = "too_deep"   // a directory at MaxNameDepth, not entered
	SkipTooLarge   SkipReason = "too_large"  // beyond Limits.OutputFileBytes
	SkipNoRoom     SkipReason = "no_room"    // beyond Limits.OutputFilesBytes, with those before it
	SkipTooMany    SkipReason = "too_many"   // beyond Limits.OutputFilesMax
	SkipEntries    SkipReason = "entries"    // a directory that has too many entries, with those before it, to look at the rest
	SkipUnreadable SkipReason = "unreadable" // the kernel refuses to open or read it
)

// skippedJSON is Skipped on the wire: readable, and lossless.
type skippedJSON struct {
	Name       string     `json:"name"`
	NameBase64 []byte     `json:"nameBase64,omitempty"` // only when Name is not UTF-8
	Reason     SkipReason `json:"reason"`
	Bytes      int64      `json:"bytes,omitempty"`
}

// MarshalJSON writes {"name","reason","bytes"}, and "nameBase64" when the name is not UTF-8.
func (s Skipped) MarshalJSON() ([]byte, error) {
	w := skippedJSON{Name: s.Name, Reason: s.Reason, Bytes: s.Bytes}
	if !utf8.ValidString(s.Name) {
		w.Name, w.NameBase64 = strings.ToValidUTF8(s.Name, "\uFFFD"), []byte(s.Name)
	}
	return json.Marshal(w)
}

// UnmarshalJSON is the inverse of MarshalJSON.
func (s *Skipped) UnmarshalJSON(b []byte) error {
	var w skippedJSON
	if err := json.Unmarshal(b, &w); err != nil {
		return err
	}
	*s = Skipped{Name: w.Name, Reason: w.Reason, Bytes: w.Bytes}
	if w.NameBase64 != nil {
		s.Name = string(w.NameBase64)
	}
	return nil
}
