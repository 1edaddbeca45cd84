// SPDX-License-Identifier: Apache-2.0

package seccomp

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"syscall"
	"testing"

	libseccomp "github.com/seccomp/libseccomp-golang"
)

// More values of linux/bpf_common.h.
const bpfJump, bpfJGT, bpfJGE = 0x05, 0x25, 0x35

// run is the kernel's interpreter for as much of classic BPF as libseccomp writes. It returns SECCOMP_RET_*.
func run(t *testing.T, program []byte, nr int32, arch uint32, args [6]uint64) uint32 {
	t.Helper()
	var data [64]byte // struct seccomp_data
	binary.NativeEndian.PutUint32(data[0:], uint32(nr))
	binary.NativeEndian.PutUint32(data[4:], arch)
	for i, a := range args {
		binary.NativeEndian.PutUint64(data[16+8*i:], a)
	}
	var acc uint32
	for pc := 0; pc < len(program)/instructionSize; pc++ {
		in := program[pc*instructionSize:]
		code, jt, jf, k := binary.NativeEndian.Uint16(in), int(in[2]), int(in[3]), binary.NativeEndian.Uint32(in[4:])
		taken := false
		switch code {
		case bpfLoad:
			acc = binary.NativeEndian.Uint32(data[k:])
			continue
		case bpfAnd:
			acc &= k
			continue
		case bpfReturn:
			return k
		case bpfJump:
			pc += int(k)
			continue
		case bpfEqual:
			taken = acc == k
		case bpfJGT:
			taken = acc > k
		case bpfJGE:
			taken = acc >= k
		case bpfAnySet:
			taken = acc&k != 0
		default:
			t.Fatalf("instruction %d: unknown code %#x", pc, code)
		}
		if taken {
			pc += jt
		} else {
			pc += jf
		}
	}
	t.Fatal("the program runs off its end")
	return 0
}

// ret is the decision as a filter returns it.
func ret(d Decision) uint32 {
	switch d.Action {
	case ActAllow:
		return 0x7fff0000
	case ActLog:
		return 0x7ffc0000
	case ActTrace:
		return 0x7ff00000 | uint32(d.Errno)
	case ActNotify:
		return 0x7fc00000
	case ActErrno:
		return 0x00050000 | uint32(d.Errno)
	case ActTrap:
		return 0x00030000
	case ActKillThread:
		return 0x00000000
	}
	return 0x80000000
}

func numberOn(arch Arch, name string) (int32, bool) {
	nr, err := libseccomp.GetSyscallFromNameByArch(name, arch.scmp())
	if err != nil {
		n, ok := newer(name, arch)
		return int32(n), ok && n >= 0
	}
	return int32(nr), nr >= 0
}

// TestDefaultProgram holds the compiled default policy to the model: every call there is, with arguments around every value
// that the policy compares with.
func TestDefaultProgram(t *testing.T) {
	for _, arch := range []Arch{X86_64, AARCH64} {
		t.Run(string(arch), func(t *testing.T) {
			p, target := Default(), Target{arch, Kernel{6, 1}}
			rs, err := p.ruleset(target)
			if err != nil {
				t.Fatal(err)
			}
			prog, err := p.CompileFor(target)
			if err != nil {
				t.Fatal(err)
			}
			unknown := map[string]bool{}
			for _, name := range prog.Unknown {
				unknown[name] = true
			}
			for _, name := range knownNames() {
				nr, ok := numberOn(arch, name)
				if !ok || unknown[name] {
					continue
				}
				for _, args := range interesting(rs.rules[name]) {
					want := rs.decide(Call{arch, name, args})
					if got := run(t, prog.BPF, nr, arch.audit(), args); got != ret(want) {
						t.Errorf("%s%#x: the program returns %#x, Decide says %s", name, args, got, want)
					}
				}
			}
		})
	}
}

// interesting returns arguments at and beside the values that the rules name, with and without upper bits.
func interesting(rules []rule) [][6]uint64 {
	list := [][6]uint64{{}}
	for _, r := range rules {
		var values, matching [6]uint64 // at what each test names, and what all of them hold of
		for _, a := range r.args {
			values[a.Index], matching[a.Index] = a.Value, a.Value
			if a.Op == OpMaskedEqual {
				matching[a.Index] = a.ValueTwo
			}
		}
		list = append(list, around(values, r.args)...)
		list = append(list, around(matching, r.args)...)
	}
	return list
}

// around varies, one at a time, the arguments that are tested.
func around(base [6]uint64, tested []Arg) [][6]uint64 {
	list := [][6]uint64{base}
	for _, a := range tested {
		for _, v := range []uint64{a.Value, a.Value - 1, a.Value + 1, a.ValueTwo, a.ValueTwo - 1, a.ValueTwo + 1, ^a.Value, 0, 1, 1<<64 - 1} {
			for _, upper := range []uint64{0, 1 << 32, 0xffffffff << 32} {
				args := base
				args[a.Index] = v ^ upper
				list = append(list, args)
			}
		}
	}
	return list
}

// TestForeignArch: the numbers of other ABIs kill, whatever they would mean.
func TestForeignArch(t *testing.T) {
	p, err := Parse([]byte(`{"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [], "archMap": [{"architecture": "SCMP_ARCH_X86_64",
		"subArchitectures": ["SCMP_ARCH_X86", "SCMP_ARCH_X32"]}]}`))
	if err != nil {
		t.Fatal(err)
	}
	prog, err := p.CompileFor(Target{X86_64, Kernel{6, 1}})
	if err != nil {
		t.Fatal(err)
	}
	const killProcess, allow = 0x80000000, 0x7fff0000
	for _, tt := range []struct {
		name string
		nr   int32
		arch uint32
		want uint32
	}{
		{"x86_64", 39, auditX86_64, allow},
		{"i386", 20, auditI386, killProcess},
		{"x32", x32Bit | 39, auditX86_64, killProcess},
		{"aarch64", 172, auditAARCH64, killProcess},
		{"skipped by a tracer", -1, auditX86_64, allow},
	} {
		if got := run(t, prog.BPF, tt.nr, tt.arch, [6]uint64{}); got != tt.want {
			t.Errorf("%s: the program returns %#x, want %#x", tt.name, got, tt.want)
		}
	}
	d, err := p.Decide(Target{X86_64, Kernel{6, 1}}, Call{Arch: "SCMP_ARCH_X86", Name: "getpid"})
	if err != nil || d.Action != ActKillProcess {
		t.Errorf("Decide of an i386 call = %s, %v, want %s", d, err, ActKillProcess)
	}
}

// TestRandomPolicies holds libseccomp to the model on policies that nobody would write. See checkFaithful for what it found.
func TestRandomPolicies(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	compiled, refused := 0, 0
	for n := range 4000 {
		p := randomPolicy(rng)
		target := Target{X86_64, Kernel{6, 1}}
		if n%2 == 1 {
			target.Arch = AARCH64
		}
		prog, err := p.CompileFor(target)
		if err != nil {
			refused++
			continue
		}
		compiled++
		rs, err := p.ruleset(target)
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range []string{"read", "ioctl", "getpid"} {
			nr, _ := numberOn(target.Arch, name)
			for _, args := range interesting(rs.rules[name]) {
				want := rs.decide(Call{target.Arch, name, args})
				if got := run(t, prog.BPF, nr, target.Arch.audit(), args); got != ret(want) {
					t.Fatalf("%s%#x: the program returns %#x, Decide says %s\n%+v", name, args, got, want, p.Syscalls)
				}
			}
		}
	}
	if compiled < 1000 || refused < 1000 {
		t.Errorf("%d policies compiled and %d refused: the generator tries too little", compiled, refused)
	}
}

func randomPolicy(rng *rand.Rand) *Policy {
	pick := func(n int) int { return rng.IntN(n) }
	values := []uint64{0, 1, 2, 7, 8, 0xff, 1 << 31, 0xffffffff, 1 << 32, 0x1_00000001, 1 << 63, 1<<64 - 1}
	ops := []Op{OpNotEqual, OpLess, OpLessEqual, OpEqual, OpGreaterEqual, OpGreater, OpMaskedEqual}
	p := &Policy{DefaultAction: ActErrno}
	for range 1 + pick(6) {
		s := Syscall{Names: []string{[]string{"read", "ioctl"}[pick(2)]}, Action: []Action{ActAllow, ActKillProcess, ActErrno}[pick(3)]}
		if s.Action == ActErrno {
			errno := uint16(pick(3))
			s.Errno = &errno
		}
		for i := range uint(pick(4)) {
			a := Arg{Index: i, Value: values[pick(len(values))], Op: ops[pick(len(ops))]}
			if a.Op == OpMaskedEqual {
				a.ValueTwo = values[pick(len(values))] & a.Value
			}
			if a.validate() == nil {
				s.Args = append(s.Args, a)
			}
		}
		p.Syscalls = append(p.Syscalls, s)
	}
	return p
}

// TestOverlap holds the test for contradictions to trying all numbers of a small range.
func TestOverlap(t *testing.T) {
	ops := []Op{OpNotEqual, OpLess, OpLessEqual, OpEqual, OpGreaterEqual, OpGreater, OpMaskedEqual}
	var all []Arg
	for _, op := range ops {
		for v := range uint64(8) {
			for two := range uint64(8) {
				if a := (Arg{Value: v, ValueTwo: two, Op: op}); a.validate() == nil {
					all = append(all, a)
				}
			}
		}
	}
	for _, a := range all {
		for _, b := range all {
			want := false
			for v := range uint64(32) { // masks reach to 7, so what meets at all meets below 16
				want = want || a.holds(v) && b.holds(v)
			}
			if got := a.meets(b); got != want {
				t.Errorf("%s meets %s = %v, want %v", show(a), show(b), got, want)
			}
		}
	}
}

func show(a Arg) string { return fmt.Sprintf("%s %d %d", a.Op, a.Value, a.ValueTwo) }

func TestDecideErrno(t *testing.T) {
	d, err := Default().Decide(Target{X86_64, Kernel{6, 1}}, Call{Arch: X86_64, Name: "socket", Args: [6]uint64{40}})
	if err != nil || d.Action != ActErrno || d.Errno != syscall.EAFNOSUPPORT || d.Rule < 0 {
		t.Errorf("Decide(socket(AF_VSOCK)) = %+v, %v, want EAFNOSUPPORT by a rule", d, err)
	}
}
