// SPDX-License-Identifier: Apache-2.0

package nsjail

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// TestOutputTail: of what is kept, as many bytes as asked for are the last ones.
func TestOutputTail(t *testing.T) {
	b := requireSandbox(t)
	var lines strings.Builder
	for i := range 20_000 {
		fmt.Fprintln(&lines, i)
	}
	all := lines.String() // 108,890 bytes
	for _, tt := range []struct{ max, tail int }{
		{1000, 0}, {1000, 1}, {1000, 400}, {1000, 1000}, {65_536, 65_535}, {len(all) - 1, 50_000}, {len(all), 50_000}, {1 << 20, 1 << 20},
	} {
		p := process("cat")
		p.Stdin, p.OutputMax, p.OutputTail = []byte(all), int64(tt.max), int64(tt.tail)
		var streamed []byte
		p.OnOutput = func(c Chunk, b []byte) {
			if c.Stream != 1 || !strings.HasPrefix(all[c.Offset:], string(b)) || int64(len(b)) != c.Bytes {
				t.Errorf("%+v: chunk %+v with %.40q", tt, c, b)
			}
			streamed = append(streamed, b...)
		}
		out := b.run(t, p).Stdout
		head, tail, cut := all, "", len(all) > tt.max
		if cut {
			head, tail = all[:tt.max-tt.tail], all[len(all)-tt.tail:]
		}
		if string(out.Data) != head || string(out.Tail) != tail || out.Bytes != int64(len(all)) || out.Truncated != cut {
			t.Errorf("%+v: %d and %d of %d bytes, truncated %v, want %d and %d of %d, %v",
				tt, len(out.Data), len(out.Tail), out.Bytes, out.Truncated, len(head), len(tail), len(all), cut)
		}
		if string(streamed) != head+tail {
			t.Errorf("%+v: OnOutput got %d bytes, want the %d kept ones", tt, len(streamed), len(head)+len(tail))
		}
	}
}

// TestInterleave: the order in which one thread wrote to two pipes is exact, whatever the sizes of its writes.
func TestInterleave(t *testing.T) {
	b := requireSandbox(t)
	for _, tt := range []struct{ lines, size int }{{1, 0}, {2000, 0}, {300, 100}, {200, 4096}, {100, 4097}, {30, 70_000}} {
		p := process("alternate", strconv.Itoa(tt.lines), strconv.Itoa(tt.size))
		p.Interleave, p.OutputMax, p.FloodMax = true, 4<<20, 8<<20
		var want, streamed bytes.Buffer
		for i := range tt.lines {
			fmt.Fprintf(&want, "%*d\n", max(tt.size-1, 0), i)
		}
		p.OnOutput = func(_ Chunk, b []byte) { streamed.Write(b) }
		r := b.run(t, p)
		if got := replay(r); got != want.String() || r.OrderTruncated {
			t.Errorf("%+v: order truncated %v, %s", tt, r.OrderTruncated, firstDifference(got, want.String()))
		}
		if streamed.String() != want.String() {
			t.Errorf("%+v: streamed: %s", tt, firstDifference(streamed.String(), want.String()))
		}
	}
}

// A program that would rather not wait for its writes has to, on these two descriptors and no other.
func TestInterleaveNonBlocking(t *testing.T) {
	b := requireSandbox(t)
	p := process("nonblocking", "500")
	p.Interleave = true
	var want strings.Builder
	for i := range 500 {
		fmt.Fprintln(&want, i)
	}
	if r := b.run(t, p); r.Verdict != Exited || r.ExitCode != 0 || replay(r) != want.String() {
		t.Errorf("verdict %v, exit code %d, %s", r.Verdict, r.ExitCode, firstDifference(replay(r), want.String()))
	}
	p = process("nonblocking pipe")
	p.Interleave = true
	if r := b.run(t, p); string(r.Stdout.Data) != "Resource temporarily unavailable\n" {
		t.Errorf("its own pipe: %+v", r)
	}
	p = process("echo", "x")                                          // the filter that was given still holds
	p.Interleave, p.Seccomp = true, []byte{0x06, 0, 0, 0, 0, 0, 0, 0} // SECCOMP_RET_KILL_THREAD
	if r := b.run(t, p); r.Verdict == Exited {
		t.Errorf("under a filter that kills: %+v", r)
	}
}

// replay puts the kept bytes together in the order of the result.
func replay(r Result) string {
	var b strings.Builder
	for _, c := range r.Order {
		o := []Output{r.Stdout, r.Stderr}[c.Stream-1]
		data, at := o.Data, c.Offset
		if from := o.tailOffset(); o.Tail != nil && at >= from {
			data, at = o.Tail, at-from
		}
		b.Write(data[at : at+c.Bytes])
	}
	return b.String()
}

func firstDifference(got, want string) string {
	at := 0
	for at < min(len(got), len(want)) && got[at] == want[at] {
		at++
	}
	return fmt.Sprintf("%d bytes, want %d, different from byte %d on: %.60q, want %.60q", len(got), len(want), at, got[at:], want[at:])
}

// The order goes with the tails too.
func TestInterleaveTail(t *testing.T) {
	b := requireSandbox(t)
	p := process("alternate", "1500", "10")
	p.Interleave, p.OutputMax, p.OutputTail = true, 200, 100
	r := b.run(t, p)
	var want []string
	seen := [2]int{} // by stream, from either end
	line := func(i int) string { return fmt.Sprintf("%9d\n", i) }
	stream := func(i int) int { return map[bool]int{false: 0, true: 1}[i%2 == 1 || i%7 == 0] }
	for i := range 1500 {
		if s := stream(i); seen[s] < 10 {
			want = append(want, line(i))
			seen[s]++
		}
	}
	seen = [2]int{}
	for i := 1499; i >= 0; i-- {
		if s := stream(i); seen[s] < 10 {
			want = slices.Insert(want, 20, line(i))
			seen[s]++
		}
	}
	if got := replay(r); got != strings.Join(want, "") || r.OrderTruncated {
		t.Errorf("truncated %v\n%s\nwant\n%s", r.OrderTruncated, got, strings.Join(want, ""))
	}
}

// Programs for which the pipes of the exact way are not what it needs: nothing is lost, and nobody waits for ever.
func TestInterleaveOddPrograms(t *testing.T) {
	b := requireSandbox(t)
	for _, tt := range []struct {
		args      []string
		stdout    int64
		truncated bool // the order
	}{
		{[]string{"enlarge", "50000"}, 50_000, true},
		{[]string{"reopen", "1000"}, 1945, false},
		{[]string{"inflight"}, 10, false},
		{[]string{"daemonise"}, 12, false},
		{[]string{"flood", "500000", "1"}, 500_000, true},
		{[]string{"alternate", "50000"}, 123_809, true},
	} {
		p := process(tt.args...)
		p.Interleave, p.FloodMax = true, 2<<20
		if r := b.run(t, p); r.Verdict != Exited || r.Stdout.Bytes != tt.stdout || int64(len(r.Stdout.Data)) != min(tt.stdout, p.OutputMax) {
			t.Errorf("%v: verdict %v, kept %d of %d bytes, want %d of %d", tt.args, r.Verdict, len(r.Stdout.Data), r.Stdout.Bytes, min(tt.stdout, p.OutputMax), tt.stdout)
		} else if r.OrderTruncated != tt.truncated {
			t.Errorf("%v: order truncated %v, want %v", tt.args, r.OrderTruncated, tt.truncated)
		}
	}
}

// TestDrip: a byte now and then doesn't keep a program from its end, and what was written is there.
func TestDrip(t *testing.T) {
	b := requireSandbox(t)
	for _, interleave := range []bool{false, true} {
		p := process("drip")
		p.WallTime, p.Interleave = slow(300*time.Millisecond), interleave
		r := b.run(t, p)
		most := int(r.Usage.Wall/(10*time.Millisecond)) + 1
		if n := len(r.Stdout.Data); r.Verdict != WallTime || n == 0 || n > most || r.Stdout.Bytes != int64(n) || r.Stdout.Truncated {
			t.Errorf("interleave %v: verdict %v, %+v, want the deadline and 1 to %d bytes", interleave, r.Verdict, r.Stdout, most)
		}
		p = process("drip on")
		p.Interleave = interleave
		sb := b.sandbox(t)
		r, err := sb.Run(context.Background(), p)
		if err != nil || r.Verdict != Exited || r.Stdout.Truncated {
			t.Errorf("interleave %v: after main's end: %v, %+v, want an end", interleave, err, r)
		}
		if r, err = sb.Run(context.Background(), process("echo", "next")); err != nil || string(r.Stdout.Data) != "next\n" {
			t.Errorf("interleave %v: the next step got %q, %v: the drip goes on", interleave, r.Stdout.Data, err)
		}
	}
}
