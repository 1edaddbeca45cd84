package seccomp

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"syscall"

	libseccomp "github.com/seccomp/libseccomp-golang"
)

// Asking is a policy compiled so that the filter asks its listener about each call that the policy refuses, instead of
// refusing it itself. So the refused calls become known, by name and with their arguments; see seccomp_unotify(2). It asks about
// some allowed calls too: paced ones, for which the answer, ActAllow, is to be late when there are many.
type Asking struct {
	Program
	rules   *ruleset
	offline bool // see WithoutNetwork
}

// Values of linux/seccomp.h, and the marker. The marker is a trace message that asked-about calls carry through libseccomp, which has no
// notification as a default action, nor any on old kernels. Policies can't have it: theirs end at 4094.
const (
	retErrno  = 0x00050000
	retTrace  = 0x7ff00000
	retNotify = 0x7fc00000
	marker    = 0x5ee5
)

// paced are calls that few programs make, and those seldom, and that cost the host more than who makes them: each sched_setaffinity may wake
// a thread of the kernel (migration/N) that comes before all others on its CPU and whose time is charged to nobody.
var paced = []string{"sched_setaffinity"}

// CompileAsking compiles the policy for the machine that we run on. It is an error if the policy can't run anything: a
// program that asks about its own execve would wait for ever.
func (p *Policy) CompileAsking() (Asking, error) {
	t, err := Host()
	if err != nil {
		return Asking{}, err
	}
	a, err := p.compileAsking(t)
	if err != nil {
		return Asking{}, fmt.Errorf("seccomp policy: %w", err)
	}
	return a, nil
}

func (p *Policy) compileAsking(t Target) (Asking, error) {
	plain, err := p.compile(t) // with all checks
	if err != nil {
		return Asking{}, err
	}
	rs, err := p.ruleset(t)
	if err != nil {
		return Asking{}, err
	}
	if d := rs.decide(Call{Arch: t.Arch, Name: "execve"}); rs.asks("execve", d) {
		return Asking{}, errors.New("it refuses execve, so no program can start: allow it")
	}
	prog, err := compileRules(rs.marked())
	if err != nil {
		return Asking{}, err
	}
	plain.BPF, plain.Unknown = ask(prog.BPF), prog.Unknown
	return Asking{Program: plain, rules: rs}, nil
}

// refusal is what a filter returns for what is refused with EPERM.
func (rs *ruleset) refusal() uint32 {
	if rs.asking {
		return retTrace | marker
	}
	return retErrno | uint32(syscall.EPERM)
}

// Answer says what the policy does to a call that the filter asked about. audit is its AUDIT_ARCH_*: calls of an ABI other than the
// target's kill.
func (a *Asking) Answer(audit uint32, nr int32, args [6]uint64) Decision {
	if a.Target.foreign(audit, nr) {
		return Decision{Action: ActKillProcess, Rule: NoRule}
	}
	c := Call{Arch: a.Target.Arch, Name: Name(nr, a.Target.Arch), Args: args}
	if a.offline && isNetwork(c) {
		return Decision{Action: ActErrno, Errno: syscall.EAFNOSUPPORT, Rule: NoRule}
	}
	return a.rules.decide(c)
}

// asks tells if the filter asks about calls that get d: those that are refused, and paced ones. Not about those that only seem to work, not about SCMP_ACT_TRAP,
// which programs handle themselves, and not about clone3 that isn't there: libc tries it once in every process and falls
// back on clone.
func (rs *ruleset) asks(name string, d Decision) bool {
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

// marked returns the rules with the marker in the place of what is asked about.
func (rs *ruleset) marked() *ruleset {
	mark := func(name string, d Decision) Decision {
		if rs.asks(name, d) {
			return Decision{Action: ActTrace, Errno: marker, Rule: d.Rule}
		}
		return d
	}
	out := &ruleset{target: rs.target, fallback: mark("", rs.fallback), asking: true, names: rs.names, rules: map[string][]rule{}}
	for name, rules := range rs.rules {
		for _, r := range rules {
			r.Decision = mark(name, r.Decision)
			out.rules[name] = append(out.rules[name], r)
		}
	}
	for _, name := range paced {
		if len(rs.rules[name]) == 0 && rs.asks(name, rs.fallback) { // the default allows it
			out.names = append(slices.Clip(out.names), name)
			out.rules[name] = []rule{{Decision: mark(name, rs.fallback)}}
		}
	}
	return out
}

// ask makes the marked returns of a program ask.
func ask(program []byte) []byte {
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

// Known tells if a system call has the number nr.
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
