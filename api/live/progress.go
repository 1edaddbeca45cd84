// SPDX-License-Identifier: Apache-2.0

package live

import (
	"encoding/base64"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/ccee-dev/ccee/job"
	"github.com/ccee-dev/ccee/queue"
)

// Progress is how far a stream of events has come: the id of its last event. It is all that is needed to go on from there, with
// another server too, whether the job still runs or is finished: nothing comes twice and nothing is left out.
type Progress struct {
	seq     int64 // events so far
	attempt int
	offsets [4]int64 // bytes sent of compile's stdout and stderr, and of run's
	tests   int      // sent
	done    bool     // the end of the job was sent
}

// doneMark is the end of the id of the event done.
const doneMark = ".done"

// String is the id: "seq.attempt.offset.offset.offset.offset.tests", with ".done" at the end that of the event done.
func (p Progress) String() string {
	id := fmt.Sprintf("%d.%d.%d.%d.%d.%d.%d", p.seq, p.attempt, p.offsets[0], p.offsets[1], p.offsets[2], p.offsets[3], p.tests)
	if p.done {
		id += doneMark
	}
	return id
}

// ParseProgress reads an id; "" is the beginning.
func ParseProgress(s string) (p Progress, ok bool) {
	if s == "" {
		return p, true
	}
	o := &p.offsets
	place, done := strings.CutSuffix(s, doneMark)
	p.done = done
	n, err := fmt.Sscanf(place, "%d.%d.%d.%d.%d.%d.%d", &p.seq, &p.attempt, &o[0], &o[1], &o[2], &o[3], &p.tests)
	return p, err == nil && n == 7 && p.String() == s && !strings.Contains(s, "-")
}

// Done reports whether the client has seen the end of the job.
func (p Progress) Done() bool { return p.done }

// Resumed is p for a job that was run again after its end was sent.
func (p Progress) Resumed() Progress {
	p.done = false
	return p
}

// end moves p to the end of the job.
func (p *Progress) end() Progress {
	p.seq++
	p.done = true
	return *p
}

// part is one stream of one step, in the order of offsets.
type part struct{ step, stream string }

var parts = [4]part{{"compile", "stdout"}, {"compile", "stderr"}, {"run", "stdout"}, {"run", "stderr"}}

// outputEvent is the data of the events stdout and stderr.
type outputEvent struct {
	Step    string  `json:"step"`
	Attempt int     `json:"attempt"`
	Offset  int64   `json:"offset"`           // of the text's first byte in what was written
	Skipped int64   `json:"skipped"`          // bytes before it that were not kept
	Text    string  `json:"text"`             // with U+FFFD for what is not UTF-8
	Base64  *string `json:"base64,omitempty"` // the bytes, where the text is not they
}

// frame is an event to be sent.
type frame struct {
	name string // stdout, stderr or test
	id   Progress
	data any
}

// testEvent is the data of the event test.
type testEvent struct {
	Number  int         `json:"number"` // from 1
	Attempt int         `json:"attempt"`
	Passed  bool        `json:"passed"`
	Verdict job.Verdict `json:"verdict"`
	Message string      `json:"message"`
}

// test returns the event for the end of a test; ok is false if it was sent already, or if one before it was not: then the result has all.
func (p *Progress) test(attempt, number int, v job.Verdict, message string) (f frame, ok bool) {
	p.begin(attempt)
	if number != p.tests+1 {
		return frame{}, false
	}
	p.tests++
	p.seq++
	return frame{"test", *p, testEvent{number, attempt, v == job.Accepted, v, strings.ToValidUTF8(message, "\ufffd")}}, true
}

// begin goes back to the beginning when this is another attempt.
func (p *Progress) begin(attempt int) {
	if attempt != p.attempt {
		p.attempt, p.offsets, p.tests = attempt, [4]int64{}, 0
	}
}

// advance moves p by a piece of output and returns the event for its unseen part; ok is false if there is none. Unless the piece is the
// last one, an incomplete character at its end waits for its rest.
func (p *Progress) advance(i int, attempt int, offset int64, data []byte, last bool) (f frame, ok bool) {
	p.begin(attempt)
	at := p.offsets[i]
	if end := offset + int64(len(data)); end <= at {
		return frame{}, false
	}
	skipped := max(0, offset-at)
	if offset < at {
		data, offset = data[at-offset:], at
	}
	if !last {
		data = data[:wholeCharacters(data)]
	}
	if len(data) == 0 {
		return frame{}, false
	}
	p.offsets[i] = offset + int64(len(data))
	p.seq++
	ev := outputEvent{Step: parts[i].step, Attempt: attempt, Offset: offset, Skipped: skipped, Text: string(data)}
	if !utf8.Valid(data) {
		coded := base64.StdEncoding.EncodeToString(data)
		ev.Text, ev.Base64 = strings.ToValidUTF8(ev.Text, "\ufffd"), &coded
	}
	return frame{parts[i].stream, *p, ev}, true
}

// wholeCharacters returns how many bytes of b come before an incomplete character at its end.
func wholeCharacters(b []byte) int {
	for n := 1; n < utf8.UTFMax && n <= len(b); n++ {
		if c := b[len(b)-n]; utf8.RuneStart(c) {
			if !utf8.FullRune(b[len(b)-n:]) {
				return len(b) - n
			}
			break
		}
	}
	return len(b)
}

// live returns the event for a live event of the job; rest has the incomplete characters of its output.
func (p *Progress) live(ev queue.LiveEvent, rest *[4][]byte) (frame, bool) {
	if ev.Type == job.EventTest && ev.Attempt >= p.attempt {
		return p.test(ev.Attempt, ev.Test, ev.Verdict, string(ev.Data))
	}
	for i, part := range parts {
		if part.step != ev.Step || part.stream != string(ev.Type) || ev.Attempt < p.attempt {
			continue
		}
		if ev.Attempt != p.attempt {
			*rest = [4][]byte{}
		}
		offset, data := ev.Offset, ev.Data
		if r := rest[i]; len(r) > 0 && offset-int64(len(r)) == p.offsets[i] {
			offset, data = offset-int64(len(r)), append(r[:len(r):len(r)], data...)
		}
		out, ok := p.advance(i, ev.Attempt, offset, data, false)
		if left := offset + int64(len(data)) - p.offsets[i]; left > 0 && left <= int64(len(data)) {
			rest[i] = append([]byte(nil), data[int64(len(data))-left:]...)
		} else {
			rest[i] = nil
		}
		return out, ok
	}
	return frame{}, false
}

// final returns the events for the part of a result that was not sent yet.
func (p *Progress) final(attempt int, r *job.Result) []frame {
	var outs []frame
	for i, part := range parts {
		s := r.Step(part.step)
		if s == nil {
			continue
		}
		o := &s.Stdout
		if part.stream == "stderr" {
			o = &s.Stderr
		}
		for _, piece := range []struct {
			at   int64
			data []byte
		}{{0, o.Data}, {o.Bytes - int64(len(o.Tail)), o.Tail}} {
			if out, ok := p.advance(i, attempt, piece.at, piece.data, true); ok {
				outs = append(outs, out)
			}
		}
	}
	if r.Tests == nil {
		return outs
	}
	for i, t := range r.Tests.List {
		if out, ok := p.test(attempt, i+1, t.Verdict, t.Message); ok {
			outs = append(outs, out)
		}
	}
	return outs
}
