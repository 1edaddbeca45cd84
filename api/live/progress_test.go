package live

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/ccee-dev/ccee/job"
	"github.com/ccee-dev/ccee/queue"
)

func stdout(offset int64, text string) job.Event {
	return job.Event{Type: job.EventStdout, Step: "run", Offset: offset, Data: []byte(text)}
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
