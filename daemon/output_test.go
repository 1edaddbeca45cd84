// SPDX-License-Identifier: Apache-2.0

package daemon

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ccee-dev/ccee/job"
)

// streamSpec runs spec and returns its events.
func (s *served) streamSpec(t *testing.T, spec job.Spec) []job.Event {
	t.Helper()
	spec.ID = "stream"
	ample(t, &spec.Compile, job.DefaultCompile)
	ample(t, &spec.Run, job.DefaultRun)
	body, err := json.Marshal(spec)
	if err != nil {
		t.Fatal(err)
	}
	resp, answer := s.ask(t, "POST", "/v1/run", string(body), ndjson)
	if resp.StatusCode != 200 {
		t.Fatalf("HTTP %d %s\nlog:\n%s", resp.StatusCode, answer, s.log)
	}
	var events []job.Event
	for line := range strings.Lines(answer) {
		var ev job.Event
		if err := json.Unmarshal([]byte(line), &ev); err != nil {
			t.Fatalf("line %q: %v", line, err)
		}
		events = append(events, ev)
	}
	return events
}

// The first and the last bytes are kept, in the result and in the stream, which says where they belong.
func TestOutputTail(t *testing.T) {
	s := realDaemon(t, nil)
	spec := job.Spec{Language: "python", Source: "for i in range(100000): print(i)",
		Run: job.Limits{OutputBytes: 30, OutputTailBytes: 14, CPUMillicores: 1000}}
	const head, tail, total = "0\n1\n2\n3\n4\n5\n6\n7\n", "7\n99998\n99999\n", 588_890
	want := job.Output{Data: []byte(head), Tail: []byte(tail), Bytes: total, Truncated: true}
	step := last(t, s.runSpec(t, spec))
	if d := cmp.Diff(want, step.Stdout); !step.OK() || d != "" {
		t.Errorf("-want +got\n%s\n%s", d, describeStep(step))
	}
	var got []string
	for _, ev := range s.streamSpec(t, spec) {
		got = append(got, fmt.Sprintf("%s %d %q", ev.Type, ev.Offset, ev.Data))
	}
	wanted := []string{`started 0 ""`, fmt.Sprintf("stdout 0 %q", head), fmt.Sprintf("stdout %d %q", total-len(tail), tail), `exited 0 ""`, `result 0 ""`}
	if d := cmp.Diff(wanted, got); d != "" {
		t.Errorf("events: -want +got\n%s", d)
	}
}

// What one thread writes in turns to both streams comes back in that order, from every language.
func TestInterleave(t *testing.T) {
	s := realDaemon(t, nil)
	var want strings.Builder
	for i := range 100 {
		fmt.Fprintln(&want, i)
	}
	for _, tt := range []struct{ language, source string }{
		{"python", "import sys\nfor i in range(100): print(i, file=[sys.stdout, sys.stderr][i % 2], flush=True)"},
		{"javascript", "for (let i = 0; i < 100; i++) (i % 2 ? console.error : console.log)(i)"},
		{"java", "class Main { public static void main(String[] a) { for (int i = 0; i < 100; i++) (i % 2 == 0 ? System.out : System.err).println(i); } }"},
	} {
		t.Run(tt.language, func(t *testing.T) {
			spec := job.Spec{Language: tt.language, Source: tt.source, Interleave: true, Run: job.Limits{CPUMillicores: 1000, WallMs: 20_000}}
			step := last(t, s.runSpec(t, spec))
			data := map[string][]byte{"stdout": step.Stdout.Data, "stderr": step.Stderr.Data}
			var got, streamed strings.Builder
			for _, c := range step.Interleaving {
				got.Write(data[c.Stream][c.Offset : c.Offset+c.Bytes])
			}
			if got.String() != want.String() || step.InterleavingTruncated {
				t.Errorf("truncated %v, %q\n%s", step.InterleavingTruncated, got.String(), describeStep(step))
			}
			for _, ev := range s.streamSpec(t, spec) {
				streamed.Write(ev.Data)
			}
			if streamed.String() != want.String() {
				t.Errorf("streamed %q", streamed.String())
			}
		})
	}
}

// A drip ends at the deadline, main's or a descendant's, and what was written is kept.
func TestDrip(t *testing.T) {
	s := realDaemon(t, nil)
	const drip = "import os, time\nos.write(1, b'begun')\n%swhile True:\n  os.write(1, b'.')\n  time.sleep(0.01)"
	for _, tt := range []struct {
		name, source string
		want         job.Verdict
	}{
		{"main", fmt.Sprintf(drip, ""), job.WallTime},
		{"a descendant", fmt.Sprintf(drip, "if os.fork(): os._exit(0)\n"), job.Exited},
	} {
		step := last(t, s.runSpec(t, job.Spec{Language: "python", Source: tt.source, Run: job.Limits{WallMs: 1500, CPUMillicores: 1000}}))
		if out := step.Stdout; step.Verdict != tt.want || !strings.HasPrefix(string(out.Data), "begun") || out.Truncated || out.Bytes != int64(len(out.Data)) {
			t.Errorf("%s: want %s and what was written\n%s", tt.name, tt.want, describeStep(step))
		}
	}
}
