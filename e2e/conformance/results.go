// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
)

// state is what became of a test.
type state string

const (
	pass    state = "pass"
	fail    state = "fail"
	skip    state = "skip"
	died    state = "died" // the process ended while the test ran: a crash, a kill, a time limit
	missing state = "none" // it was not run here, but was in the other place
)

// outcome is a test's state, and for people why.
type outcome struct {
	State  state  `json:"state"`
	Detail string `json:"detail,omitempty"`
}

// results are outcomes by the name of the test.
type results map[string]outcome

func (r results) count(s state) int {
	n := 0
	for _, o := range r {
		if o.State == s {
			n++
		}
	}
	return n
}

// readLines adds what a report says to r. begun is the test that had not ended when the program did, done whether the program got to
// its end. A last line that is cut off is no line.
func (r results) readLines(report []byte) (begun string, done bool, err error) {
	lines := bufio.NewScanner(bytes.NewReader(report))
	lines.Buffer(nil, 4<<20)
	for lines.Scan() {
		var l struct {
			Begin, ID, Done, Detail string
			State                   state
		}
		if err := json.Unmarshal(lines.Bytes(), &l); err != nil {
			if !lines.Scan() {
				break
			}
			return "", false, fmt.Errorf("report line %q: %w", lines.Bytes(), err)
		}
		switch {
		case l.Begin != "":
			begun = l.Begin
		case l.ID != "":
			if old, ok := r[l.ID]; !ok || old.State != fail {
				r[l.ID] = outcome{l.State, clip(l.Detail)}
			}
			if l.ID == begun {
				begun = ""
			}
		case l.Done != "":
			done = true
		}
	}
	return begun, done, lines.Err()
}

// clip shortens a detail to a line for people.
func clip(s string) string {
	if line, _, cut := bytes.Cut([]byte(s), []byte("\n")); cut || len(line) > 300 {
		return string(line[:min(len(line), 300)]) + " ..."
	}
	return s
}
