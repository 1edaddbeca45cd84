// SPDX-License-Identifier: Apache-2.0

package nsjail

import (
	"context"
	"os/exec"
	"testing"
	"time"
)

// BenchmarkNoop is a whole cold sandbox for a program that does nothing, and its parts; BenchmarkForkExec is the floor.
func BenchmarkNoop(b *testing.B) {
	x := requireSandbox(b)
	var build, run, remove time.Duration
	before := ownCPU()
	for b.Loop() {
		t0 := time.Now()
		sb, err := x.spawner.New(context.Background(), x.config())
		if err != nil {
			b.Fatal(err)
		}
		t1 := time.Now()
		r, err := sb.Run(context.Background(), process())
		if err != nil || r.Verdict != Exited {
			b.Fatal(r, err)
		}
		t2 := time.Now()
		if err := sb.Close(); err != nil {
			b.Fatal(err)
		}
		build, run, remove = build+t1.Sub(t0), run+t2.Sub(t1), remove+time.Since(t2)
	}
	b.ReportMetric(float64(build.Microseconds())/float64(b.N), "us-new")
	b.ReportMetric(float64(run.Microseconds())/float64(b.N), "us-run")
	b.ReportMetric(float64(remove.Microseconds())/float64(b.N), "us-close")
	b.ReportMetric(float64((ownCPU()-before).Microseconds())/float64(b.N), "us-cpu-daemon")
}

func BenchmarkForkExec(b *testing.B) {
	x := requireSandbox(b)
	for b.Loop() {
		if err := exec.Command(x.root + "/prog").Run(); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkLooks is what a look at a sandbox's sockets costs the daemon, the first one and the others, and one at the host's locks.
func BenchmarkLooks(b *testing.B) {
	x := requireSandbox(b)
	cfg := x.config()
	cfg.Loopback = true
	sb := x.sandboxOf(b, cfg)
	if err := sb.Ready(); err != nil {
		b.Fatal(err)
	}
	look := func(b *testing.B, l *socketWatch) {
		if _, over, err := l.check(process()); over || err != nil {
			b.Fatal(over, err)
		}
	}
	withCPU := func(b *testing.B, do func()) {
		before := ownCPU()
		for b.Loop() {
			do()
		}
		b.ReportMetric(float64((ownCPU()-before).Nanoseconds())/1000/float64(b.N), "us-cpu")
	}
	b.Run("first", func(b *testing.B) {
		withCPU(b, func() {
			l := sb.watchSockets()
			look(b, l)
			l.Close()
		})
	})
	b.Run("next", func(b *testing.B) {
		l := sb.watchSockets()
		defer l.Close()
		withCPU(b, func() { look(b, l) })
	})
	b.Run("locks", func(b *testing.B) {
		withCPU(b, func() { firstNumber(x.spawner.locks.count) })
	})
}
