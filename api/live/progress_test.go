// SPDX-License-Identifier: Apache-2.0

package live

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/ccee-dev/ccee/job"
	"github.com/ccee-dev/ccee/queue"
)

func stdout(offset int64, text string) job.Event {
	return job.Event{Type: job.EventStdout, Step: "run", Offset: offset, Data: []byte(text)}
}

// piece is an output event as a client reads it.
func piece(f frame) string {
	e, ok := f.data.(outputEvent)
	if !ok {
		t := f.data.(testEvent)
		return fmt.Sprintf("test %d of %d: %s", t.Number, t.Attempt, t.Verdict)
	}
	return fmt.Sprintf("%s of %d at %d, %d skipped: %s", f.name, e.Attempt, e.Offset, e.Skipped, e.Text)
}

// A job that runs again begins anew: its output and its tests are sent from the beginning, late ones of the attempt before are not, and a
// gap says how much is missing. Whoever comes back from the attempt before gets all of the new one.
func TestSecondAttempt(t *testing.T) {
	out := func(attempt int, offset int64, text string) queue.LiveEvent {
		return queue.LiveEvent{Attempt: attempt, Event: stdout(offset, text)}
	}
	test := func(attempt, number int) queue.LiveEvent {
		return queue.LiveEvent{Attempt: attempt, Event: job.Event{Type: job.EventTest, Test: number, Verdict: job.Accepted}}
	}
	var p Progress
	var rest [4][]byte
	live := func(p *Progress, ev queue.LiveEvent) string {
		if f, ok := p.live(ev, &rest); ok {
			return piece(f)
		}
		return ""
	}
	before := Progress{}
	for _, step := range []struct {
		ev   queue.LiveEvent
		want string
	}{
		{out(1, 0, "first \xe2\x82"), "stdout of 1 at 0, 0 skipped: first "}, // half of a character waits
		{test(1, 1), "test 1 of 1: accepted"},
		{test(1, 2), "test 2 of 1: accepted"},
		{out(2, 0, "second"), "stdout of 2 at 0, 0 skipped: second"},
		{out(1, 8, "\xac late"), ""},
		{test(1, 3), ""},
		{out(2, 10, "on"), "stdout of 2 at 10, 4 skipped: on"},
		{out(2, 8, "upon"), ""},
		{test(2, 2), ""}, // the first of this attempt was not sent: the result has them
		{test(2, 1), "test 1 of 2: accepted"},
		{test(2, 2), "test 2 of 2: accepted"},
	} {
		if got := live(&p, step.ev); got != step.want {
			t.Errorf("%+v: %q, want %q", step.ev, got, step.want)
		}
		if p.attempt == 1 {
			before = p
		}
	}
	back, ok := ParseProgress(before.String())
	if !ok {
		t.Fatalf("%s is no id", before)
	}
	r := &job.Result{Steps: []job.Step{{Name: "run", Stdout: job.Output{Data: []byte("second"), Tail: []byte("on"), Bytes: 12}}},
		Tests: &job.TestResults{List: []job.TestResult{{Verdict: job.Accepted}, {Verdict: job.WrongAnswer}}}}
	var got []string
	for _, f := range back.final(2, r) {
		got = append(got, piece(f))
	}
	if want := []string{"stdout of 2 at 0, 0 skipped: second", "stdout of 2 at 10, 4 skipped: on", "test 1 of 2: accepted", "test 2 of 2: wrong_answer"}; !slices.Equal(got, want) {
		t.Errorf("after attempt 1: %q, want %q", got, want)
	}
	// Whoever has seen all of the second attempt gets nothing twice.
	if more := p.final(2, r); len(more) != 0 {
		t.Errorf("sent again: %v", more)
	}
}

// However output is cut into live events, and wherever a client comes back, it hears every byte once.
func FuzzProgress(f *testing.F) {
	f.Add([]byte("a€b\xff\xe2\x82"), uint64(1))
	f.Fuzz(func(t *testing.T, text []byte, seed uint64) {
		r := rand.New(rand.NewPCG(seed, 0))
		var p Progress
		var rest [4][]byte
		var heard bytes.Buffer
		hear := func(out frame) {
			said := out.data.(outputEvent)
			b := []byte(said.Text)
			if said.Base64 != nil {
				b = decoded(t, *said.Base64)
			}
			if said.Offset != int64(heard.Len()) || said.Skipped != 0 {
				t.Fatalf("a piece at %d after %d bytes", said.Offset, heard.Len())
			}
			heard.Write(b)
		}
		told := r.IntN(len(text) + 1)
		for at := 0; at < told; {
			n := 1 + r.IntN(told-at)
			if out, ok := p.live(queue.LiveEvent{Attempt: 1, Event: stdout(int64(at), string(text[at:at+n]))}, &rest); ok {
				hear(out)
			}
			at += n
			if r.IntN(3) == 0 { // it comes back, and reads from the beginning
				var ok bool
				if p, ok = ParseProgress(p.String()); !ok {
					t.Fatal("an id of ours is none")
				}
				rest, at = [4][]byte{}, 0
				if r.IntN(2) == 0 {
					break
				}
				told = min(told, heard.Len()+1+r.IntN(len(text)))
			}
		}
		for _, out := range p.final(1, &job.Result{Steps: []job.Step{{Name: "run", Stdout: job.Output{Data: text, Bytes: int64(len(text))}}}}) {
			hear(out)
		}
		if !bytes.Equal(heard.Bytes(), text) {
			t.Errorf("heard %q, want %q", heard.Bytes(), text)
		}
	})
}

func FuzzParseProgress(f *testing.F) {
	f.Add("1.1.0.0.4.0.0")
	f.Fuzz(func(t *testing.T, s string) {
		p, ok := ParseProgress(s)
		if ok && s != "" && p.String() != s {
			t.Errorf("%q is %q", s, p)
		}
		if ok && fmt.Sprint(p.offsets) != strings.ReplaceAll(fmt.Sprint(p.offsets), "-", "") {
			t.Errorf("%q has offsets %v", s, p.offsets)
		}
	})
}

func TestWholeCharacters(t *testing.T) {
	for s, want := range map[string]int{"": 0, "a": 1, "€": 3, "a\xe2\x82": 1, "a\xe2": 1, "\xf0\x9f\x98": 0, "\xff": 1, "\x80\x80\x80\x80": 4, "a\xe2\x82\xac": 4} {
		if got := wholeCharacters([]byte(s)); got != want {
			t.Errorf("%q: %d, want %d", s, got, want)
		}
	}
}

func decoded(t *testing.T, s string) []byte {
	t.Helper()
	b, err := base64.StdEncoding.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}
