// SPDX-License-Identifier: Apache-2.0

package view

import "github.com/ccee-dev/ccee/job"

// Tails are the members of a result whose output was cut in the middle, as outputTailBytes asks for: how much is left out, and its end.
type Tails struct {
	StdoutOmittedBytes int64   `json:"stdoutOmittedBytes,omitempty"`
	StderrOmittedBytes int64   `json:"stderrOmittedBytes,omitempty"`
	StdoutTail         *string `json:"stdoutTail,omitempty"`
	StderrTail         *string `json:"stderrTail,omitempty"`
	StdoutTailBase64   *string `json:"stdoutTailBase64,omitempty"` // as stdoutBase64
	StderrTailBase64   *string `json:"stderrTailBase64,omitempty"`
}

// newTails is empty for outputs without tails.
func newTails(stdout, stderr job.Output, coded bool) Tails {
	var v Tails
	v.StdoutOmittedBytes, v.StdoutTail, v.StdoutTailBase64 = newTail(stdout, coded)
	v.StderrOmittedBytes, v.StderrTail, v.StderrTailBase64 = newTail(stderr, coded)
	return v
}

func newTail(o job.Output, coded bool) (omitted int64, text, raw *string) {
	if len(o.Tail) == 0 {
		return 0, nil, nil
	}
	s := o.TailText()
	if coded || s != string(o.Tail) {
		raw = encoded(o.Tail)
	}
	return o.Omitted(), &s, raw
}

// joinTail puts the kept bytes of the next step's output after those of all, in which one gap can be.
func joinTail(all, next *job.Output) {
	switch {
	case len(all.Tail) == 0:
		all.Data, all.Tail = append(all.Data, next.Data...), next.Tail
	case len(next.Tail) == 0:
		all.Tail = append(all.Tail[:len(all.Tail):len(all.Tail)], next.Data...)
	default: // the output between is left out with the two gaps
		all.Tail = next.Tail
	}
}
