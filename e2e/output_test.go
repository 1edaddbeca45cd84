// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"strings"
	"testing"
)

// TestOutputTail: the first and the last bytes of a flood, as large as a job may ask for.
func TestOutputTail(t *testing.T) {
	s := sharedUp(t)
	const source = "import os\nb = b'x' * 65535 + b'\\n'\nfor i in range(16382): os.write(1, b)\nos.write(1, 'é'.encode())"
	j := s.run(t, python(source, "run", body{"outputBytes": 10, "outputTailBytes": 3, "floodBytes": 1 << 30, "timeoutMs": 60_000, "cpuMillicores": 1000}))
	const total = 16382<<16 + 2
	r := j.Result
	if r == nil || r.Verdict != "exited" || r.Stdout != "xxxxxxx" || r.StdoutTail != "\né" || r.StdoutOmittedBytes != total-10 || r.Usage.StdoutBytes != total || !r.StdoutTruncated {
		t.Errorf("%s %+v, want 7 and 3 of %d bytes", j.Status, r, total)
	}
}

// TestInterleave: the order of two streams comes through the queue.
func TestInterleave(t *testing.T) {
	s := sharedUp(t)
	for _, job := range []body{
		python("import sys\nfor i in range(200): print(i, file=[sys.stdout, sys.stderr][i % 3 == 1], flush=True)", "interleave", true),
		javascript("for (let i = 0; i < 200; i++) (i % 3 == 1 ? console.error : console.log)(i)", "interleave", true),
	} {
		r := s.run(t, job).Result
		if r == nil || r.Run == nil || r.Run.InterleavingTruncated {
			t.Fatalf("%v: result %+v", job["language"], r)
		}
		text := map[string]string{"stdout": r.Stdout, "stderr": r.Stderr}
		var lines strings.Builder
		for _, c := range r.Run.Interleaving {
			lines.WriteString(text[c.Stream][c.Offset : c.Offset+c.Bytes])
		}
		if got := strings.Fields(lines.String()); len(got) != 200 || !inOrder(got) {
			t.Errorf("%v: %v", job["language"], got)
		}
	}
}

func inOrder(numbers []string) bool {
	for i := 1; i < len(numbers); i++ {
		if a, b := numbers[i-1], numbers[i]; len(a) > len(b) || len(a) == len(b) && a >= b {
			return false
		}
	}
	return true
}
