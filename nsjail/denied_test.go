// SPDX-License-Identifier: Apache-2.0

package nsjail

import (
	"encoding/binary"
	"strconv"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// notifyOf is a filter that asks about the calls of one number and allows all others.
func notifyOf(nr uint32) []byte {
	var b []byte
	for _, in := range []struct {
		code   uint16
		jt, jf uint8
		k      uint32
	}{
		{unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, 0, 0, 0}, // the number
		{unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, 0, 1, nr},
		{unix.BPF_RET | unix.BPF_K, 0, 0, unix.SECCOMP_RET_USER_NOTIF},
		{unix.BPF_RET | unix.BPF_K, 0, 0, unix.SECCOMP_RET_ALLOW},
	} {
		b = binary.NativeEndian.AppendUint16(b, in.code)
		b = append(b, in.jt, in.jf)
		b = binary.NativeEndian.AppendUint32(b, in.k)
	}
	return b
}

// asking is a program that makes the call keyctl so many times, in so many processes, and gets answer each time.
func notifying(times, processes int, answer Answer) Process {
	p := process("call", strconv.Itoa(unix.SYS_KEYCTL), strconv.Itoa(times), strconv.Itoa(processes))
	p.Seccomp = notifyOf(unix.SYS_KEYCTL)
	p.Decide = func(Syscall) Answer { return answer }
	return p
}

func TestDenied(t *testing.T) {
	b := requireSandbox(t)
	r := b.run(t, notifying(3, 1, Answer{Errno: unix.EXDEV}))
	if r.Verdict != Exited || string(r.Stdout.Data) != "-1 Invalid cross-device link\n" {
		t.Errorf("got verdict %v, stdout %q", r.Verdict, r.Stdout.Data)
	}
	if len(r.Denied) != 1 {
		t.Fatalf("denied %+v, want one sort", r.Denied)
	}
	d := r.Denied[0]
	if d.Nr != unix.SYS_KEYCTL || d.Args != [6]uint64{7, 8, 9, 10, 11, 12} || d.Count != 3 || d.Errno != unix.EXDEV || d.Kill {
		t.Errorf("denied %+v", d)
	}
	if r := b.run(t, notifying(0, 1, Answer{})); r.Verdict != Exited || r.Denied != nil {
		t.Errorf("no call: %+v", r)
	}
}

// TestDeniedKills: also what no answer is given for.
func TestDeniedKills(t *testing.T) {
	b := requireSandbox(t)
	for _, answer := range []Answer{{Kill: true}, {}, {Kill: true, Errno: unix.EPERM}} {
		r := b.run(t, notifying(1, 1, answer))
		if r.Verdict != BadSyscall || len(r.Stdout.Data) > 0 || r.Signal != unix.SIGKILL {
			t.Errorf("%+v: %+v", answer, r)
		}
		if len(r.Evidence) == 0 || r.Evidence[0] != (Evidence{"seccomp notification", unix.SYS_KEYCTL, 0, "syscall"}) {
			t.Errorf("%+v: evidence %+v", answer, r.Evidence)
		}
	}
}

// TestDeniedFlood: calls beyond the first are answered at the daemon's pace, so many processes get no more of its time than
// one, and the deadline holds while they wait for an answer.
func TestDeniedFlood(t *testing.T) {
	b := requireSandbox(t)
	p := notifying(1_000_000_000, 8, Answer{Errno: unix.EPERM})
	p.WallTime = slow(400 * time.Millisecond)
	r := b.run(t, p)
	if r.Verdict != WallTime || len(r.Denied) != 1 {
		t.Fatalf("got %+v", r)
	}
	// Pauses are never shorter than asked for, so there are at most as many as fit into the time until all are dead.
	if most := notifyFree + 1 + int64((r.Usage.Wall+time.Second)/notifyPause); r.Denied[0].Count < notifyFree || r.Denied[0].Count > most {
		t.Errorf("%d calls were answered in %v, want %d to %d", r.Denied[0].Count, r.Usage.Wall, notifyFree, most)
	}
}

// TestPaced: calls that are allowed, but paced, are made, and are not among the refused. After the first ones there is a pause before each
// answer, and so before the next call: pauses are never shorter than asked for, however busy the machine is.
func TestPaced(t *testing.T) {
	b := requireSandbox(t)
	affinity := func(times int, asked func()) Process {
		p := process("call", strconv.Itoa(unix.SYS_SCHED_SETAFFINITY), strconv.Itoa(times), "1")
		p.Seccomp = notifyOf(unix.SYS_SCHED_SETAFFINITY)
		p.Decide = func(Syscall) Answer {
			asked()
			return Answer{Allow: true}
		}
		return p
	}
	if r := b.run(t, affinity(1, func() {})); r.Verdict != Exited || r.Denied != nil || string(r.Stdout.Data) != "-1 Bad address\n" {
		t.Errorf("one: %+v, %q", r, r.Stdout.Data)
	}
	const more = 100
	var asked []time.Time
	r := b.run(t, affinity(notifyFree+more, func() { asked = append(asked, time.Now()) }))
	if r.Verdict != Exited || r.Denied != nil || len(asked) != notifyFree+more {
		t.Fatalf("many: %+v, %d were asked about", r, len(asked))
	}
	for i := notifyFree + 1; i < len(asked); i++ {
		if gap := asked[i].Sub(asked[i-1]); gap < notifyPause {
			t.Errorf("call %d came %v after the one before, want at least %v", i, gap, notifyPause)
		}
	}
}

// TestDeniedSteps: each step has a listener of its own, and none is left open.
func TestDeniedSteps(t *testing.T) {
	b := requireSandbox(t)
	before := openDescriptors(t)
	sb := b.sandbox(t)
	for times := range 3 {
		r, err := sb.Run(t.Context(), notifying(times+1, 1, Answer{Errno: unix.EPERM}))
		if err != nil || len(r.Denied) != 1 || r.Denied[0].Count != int64(times+1) {
			t.Errorf("step %d: %+v, %v", times, r.Denied, err)
		}
	}
	if err := sb.Close(); err != nil {
		t.Error(err)
	}
	if after := openDescriptors(t); after > before {
		t.Errorf("%d descriptors are open, %d were", after, before)
	}
}

// TestListenerStaysOut: the program holds no copy of its filter's listener, with which it could answer itself.
func TestListenerStaysOut(t *testing.T) {
	b := requireSandbox(t)
	p := notifying(0, 1, Answer{})
	p.Args = process("fds").Args
	if got := string(b.run(t, p).Stdout.Data); got != "0 1 2 \n" {
		t.Errorf("descriptors %q, want 0, 1 and 2", got)
	}
}
