// SPDX-License-Identifier: Apache-2.0

package seccomp

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"syscall"

	libseccomp "github.com/seccomp/libseccomp-golang"
)

// NotifyProgram is a policy compiled so that the filter notifies its listener of each call that the policy refuses, instead of
// refusing it itself. So the refused calls become known, by name and with their arguments; see seccomp_unotify(2). It notifies of
// some allowed calls too, the paced ones: the listener should delay its answer, ActAllow, when there are many.
type NotifyProgram struct {
	Program
	rules   *ruleset
	refuses func(Call) syscall.Errno // by what stands before the rules, see WithoutNetwork and Unshared; 0: it is allowed
}

// Values of linux/seccomp.h, and the marker: a trace message that stands for a notification in what libseccomp gets, which has no
// notification as a default action, nor any on old kernels. Policies can't have that message: theirs end at 4094.
const (
	retErrno  = 0x00050000
	retTrace  = 0x7ff00000
	retNotify = 0x7fc00000
	marker    = 0x5ee5
)

// paced are calls that few programs make, and seldom, and that cost the host more than the caller. Each sched_setaffinity may wake
// a thread of the kernel (migration/N) that preempts all others on its CPU and whose time is charged to nobody. The other two take a task
// out of its CPU's run queue and put it back, under that queue's lock with interrupts off, and have the CPU choose a task anew.
var paced = []string{"sched_setaffinity", "sched_setscheduler", "sched_setparam"}

// CompileNotify compiles the policy for the machine that we run on. It is an error if the policy refuses execve: a program would wait for
// ever for the answer about its own.
func (p *Policy) CompileNotify() (NotifyProgram, error) {
	t, err := Host()
	if err != nil {
		return NotifyProgram{}, err
	}
	n, err := p.compileNotify(t)
	if err != nil {
		return NotifyProgram{}, fmt.Errorf("seccomp policy: %w", err)
	}
	return n, nil
}

func (p *Policy) compileNotify(t Target) (NotifyProgram, error) {
	plain, err := p.compile(t) // with all checks
	if err != nil {
		return NotifyProgram{}, err
	}
	rs, err := p.ruleset(t)
	if err != nil {
		return NotifyProgram{}, err
	}
	if d := rs.decide(Call{Arch: t.Arch, Name: "execve"}); rs.notifies("execve", d) {
		return NotifyProgram{}, errors.New("it refuses execve, so no program can start: allow it")
	}
	prog, err := compileRules(rs.marked())
	if err != nil {
		return NotifyProgram{}, err
	}
	plain.BPF, plain.Unknown = toNotify(prog.BPF), prog.Unknown
	return NotifyProgram{Program: plain, rules: rs}, nil
}

// refusal is what a filter returns for a call that is refused with EPERM.
func (rs *ruleset) refusal() uint32 {
	if rs.marks {
		return retTrace | marker
	}
	return retErrno | uint32(syscall.EPERM)
}

// Answer is what the policy does to a call that the filter notified of. audit is its AUDIT_ARCH_*: calls of an ABI other than the
// target's kill.
func (n *NotifyProgram) Answer(audit uint32, nr int32, args [6]uint64) Decision {
	if n.Target.foreign(audit, nr) {
		return Decision{Action: ActKillProcess, Rule: NoRule}
	}
	c := Call{Arch: n.Target.Arch, Name: Name(nr, n.Target.Arch), Args: args}
	if n.refuses != nil {
		if errno := n.refuses(c); errno != 0 {
			return Decision{Action: ActErrno, Errno: errno, Rule: NoRule}
		}
	}
	return n.rules.decide(c)
}

// notifies reports whether the filter notifies of calls that get d: those that are refused, and paced ones. Not of those that return 0 and
// do nothing, not of SCMP_ACT_TRAP, which programs handle themselves, and not of clone3 that gets ENOSYS: libc tries it once in every
// process and falls back on clone.
func (rs *ruleset) notifies(name string, d Decision) bool {
	switch d.Action {
	case ActKillProcess, ActKillThread:
		return true
	case ActAllow, ActLog:
		return slices.Contains(paced, name)
	case ActErrno:
		return d.Errno != 0 && !(name == "clone3" && d.Errno == syscall.ENOSYS)
	}
	return false
}

// marked returns the rules with the marker in the place of each decision that the filter notifies of.
func (rs *ruleset) marked() *ruleset {
	mark := func(name string, d Decision) Decision {
		if rs.notifies(name, d) {
			return Decision{Action: ActTrace, Errno: marker, Rule: d.Rule}
		}
		return d
	}
	out := &ruleset{target: rs.target, fallback: mark("", rs.fallback), marks: true, names: rs.names, rules: map[string][]rule{}}
	for name, rules := range rs.rules {
		for _, r := range rules {
			r.Decision = mark(name, r.Decision)
			out.rules[name] = append(out.rules[name], r)
		}
	}
	for _, name := range paced {
		if len(rs.rules[name]) == 0 && rs.notifies(name, rs.fallback) { // the default allows it
			out.names = append(slices.Clip(out.names), name)
			out.rules[name] = []rule{{Decision: mark(name, rs.fallback)}}
		}
	}
	return out
}

// toNotify turns the marked returns of a program into notifications.
func toNotify(program []byte) []byte {
	const retK = 0x06 // BPF_RET | BPF_K
	for i := 0; i < len(program); i += instructionSize {
		in := program[i:]
		if binary.NativeEndian.Uint16(in) == retK && binary.NativeEndian.Uint32(in[4:]) == retTrace|marker {
			binary.NativeEndian.PutUint32(in[4:], retNotify)
		}
	}
	return program
}

// Name returns the name of the system call nr on arch, or "syscall_NR" where there is none.
func Name(nr int32, arch Arch) string {
	if name, ok := lookup(nr, arch); ok {
		return name
	}
	return fmt.Sprintf("syscall_%d", nr)
}

// Known reports whether a system call has the number nr.
func Known(nr int32, arch Arch) bool {
	_, ok := lookup(nr, arch)
	return ok
}

func lookup(nr int32, arch Arch) (string, bool) {
	if name, err := libseccomp.ScmpSyscall(nr).GetNameByArch(arch.scmp()); err == nil {
		return name, true
	}
	for _, name := range append(newerNames(), "uretprobe", "uprobe") {
		if n, ok := newer(name, arch); ok && n == int(nr) {
			return name, true
		}
	}
	return "", false
}
