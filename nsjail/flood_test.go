// SPDX-License-Identifier: Apache-2.0

package nsjail

import (
	"fmt"
	"strconv"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// BenchmarkFlood says what a program that floods its output costs the daemon, as a part of the program's own CPU time. The
// daemon is this process.
func BenchmarkFlood(b *testing.B) {
	x := requireSandbox(b)
	for _, tt := range []struct{ size, total int64 }{
		{1, 2_000_000}, {100, 100_000_000}, {1000, 500_000_000}, {4096, 1 << 30}, {65536, 1 << 30}, {1 << 20, 10 << 30},
	} {
		b.Run(fmt.Sprintf("writes of %d", tt.size), func(b *testing.B) {
			var ours, its, wall time.Duration
			for b.Loop() {
				p := process("flood", strconv.FormatInt(tt.total, 10), strconv.FormatInt(tt.size, 10))
				p.FloodMax, p.WallTime, p.CPUTime = tt.total, time.Minute, time.Minute
				before := ownCPU()
				r := x.run(b, p)
				ours += ownCPU() - before
				if r.Verdict != Exited || r.Stdout.Bytes != tt.total {
					b.Fatalf("verdict %v, %d of %d bytes", r.Verdict, r.Stdout.Bytes, tt.total)
				}
				its += r.Usage.User + r.Usage.System
				wall += r.Usage.Wall
			}
			b.ReportMetric(float64(ours)/float64(its), "daemon/program")
			b.ReportMetric(float64(ours.Milliseconds())/float64(b.N), "ms-daemon")
			b.ReportMetric(float64(tt.total)*float64(b.N)/1e6/wall.Seconds(), "MB/s-written")
		})
	}
}

// ownCPU is the CPU time of this process.
func ownCPU() time.Duration {
	var u unix.Rusage
	_ = unix.Getrusage(unix.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// TestFlood: what is written is counted to the byte, kept in bounded memory, and read in few reads however small it comes.
func TestFlood(t *testing.T) {
	b := requireSandbox(t)
	for _, tt := range []struct{ size, total, tail int64 }{
		{1, 300_000, 0}, {1, 300_000, 1000}, {7, 2_000_000, 0}, {4096, 100 << 20, 0}, {65_536, 100 << 20, 30_000}, {1 << 20, 500 << 20, 0},
	} {
		p := process("flood", strconv.FormatInt(tt.total, 10), strconv.FormatInt(tt.size, 10))
		p.FloodMax, p.OutputTail = tt.total, tt.tail
		r := b.run(t, p)
		out := r.Stdout
		if r.Verdict != Exited || out.Bytes != tt.total || int64(len(out.Data)) != p.OutputMax-tt.tail || int64(len(out.Tail)) != tt.tail || !out.Truncated {
			t.Errorf("%+v: verdict %v, kept %d and %d of %d bytes", tt, r.Verdict, len(out.Data), len(out.Tail), out.Bytes)
		}
		if c := cap(out.Data) + cap(out.Tail); int64(c) > 2*p.OutputMax {
			t.Errorf("%+v: %d bytes of memory for %d", tt, c, p.OutputMax)
		}
	}
}

// Single bytes are read by the thousand: each read is a chunk. The bound lets the program have a hundredth of a CPU.
func TestFloodOfBytes(t *testing.T) {
	b := requireSandbox(t)
	const total = 500_000
	reads := 0
	p := process("flood", strconv.Itoa(total), "1")
	p.OutputMax, p.OnOutput = total, func(Chunk, []byte) { reads++ }
	if r := b.run(t, p); r.Verdict != Exited || len(r.Stdout.Data) != total || r.Stdout.Truncated {
		t.Errorf("verdict %v, kept %d of %d bytes", r.Verdict, len(r.Stdout.Data), r.Stdout.Bytes)
	}
	if reads > total/20 {
		t.Errorf("%d reads for %d bytes", reads, total)
	}
	t.Logf("%d reads", reads)
}
