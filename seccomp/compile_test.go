// SPDX-License-Identifier: Apache-2.0

package seccomp

import (
	"slices"
	"strings"
	"testing"
)

var linux61 = Target{X86_64, Kernel{6, 1}}

func TestCompileErrors(t *testing.T) {
	for _, tt := range []struct {
		name, policy string
		target       Target
		want         string
	}{
		{"other architecture", `{"defaultAction": "SCMP_ACT_ALLOW", "architectures": ["SCMP_ARCH_X86_64"]}`,
			Target{Arch: AARCH64}, "it is for [SCMP_ARCH_X86_64]; add SCMP_ARCH_AARCH64"},
		{"no such target", `{"defaultAction": "SCMP_ACT_ALLOW"}`, Target{Arch: "SCMP_ARCH_S390X"}, "not an architecture to compile for"},
		{"contradiction", `{"defaultAction": "SCMP_ACT_ERRNO", "syscalls": [{"name": "read", "action": "SCMP_ACT_ALLOW"},
			{"name": "read", "action": "SCMP_ACT_TRAP", "args": [{"index": 0, "value": 3, "op": "SCMP_CMP_EQ"}]}]}`,
			linux61, "syscalls[1]: read gets SCMP_ACT_TRAP, but syscalls[0] says SCMP_ACT_ALLOW of some of the same calls"},
		{"contradiction with the default's action", `{"defaultAction": "SCMP_ACT_ERRNO", "syscalls": [{"name": "read", "action": "SCMP_ACT_ALLOW"},
			{"name": "read", "action": "SCMP_ACT_ERRNO", "errnoRet": 1}]}`,
			linux61, "syscalls[1]: read gets SCMP_ACT_ERRNO 1 (operation not permitted), but syscalls[0] says SCMP_ACT_ALLOW"},
		{"beyond libseccomp", `{"defaultAction": "SCMP_ACT_ERRNO", "syscalls": [
			{"name": "ioctl", "action": "SCMP_ACT_KILL_PROCESS", "args": [{"index": 1, "value": 9223372036854775808, "op": "SCMP_CMP_LE"}]},
			{"name": "ioctl", "action": "SCMP_ACT_ALLOW", "args": [{"index": 1, "value": 18446744073709551615, "op": "SCMP_CMP_EQ"}]}]}`,
			linux61, "ioctl: SCMP_CMP_LE of argument 1, which other rules test too"},
		{"call that can't be refused", `{"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"name": "rseq_slice_yield", "action": "SCMP_ACT_ERRNO"}]}`,
			foreign(), "can't refuse [rseq_slice_yield]"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := mustParse(t, tt.policy).CompileFor(tt.target)
			if err == nil || !strings.HasPrefix(err.Error(), "seccomp policy: ") || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("CompileFor says %v, want ...%s", err, tt.want)
			}
		})
	}
	if _, err := (&Policy{}).CompileFor(linux61); err == nil || !strings.Contains(err.Error(), "defaultAction: missing") {
		t.Errorf("CompileFor of the zero Policy says %v, want a refusal", err)
	}
}

// foreign is the target that this machine is not.
func foreign() Target {
	if host, err := Host(); err == nil && host.Arch == AARCH64 {
		return Target{X86_64, Kernel{6, 1}}
	}
	return Target{AARCH64, Kernel{6, 1}}
}

func TestTooManyInstructions(t *testing.T) {
	p := &Policy{DefaultAction: ActAllow}
	for i := range uint64(5000) {
		p.Syscalls = append(p.Syscalls, Syscall{Name: "ioctl", Action: ActTrap, Args: []Arg{{Index: 1, Value: i << 20, Op: OpEqual}}})
	}
	if _, err := p.CompileFor(linux61); err == nil || !strings.Contains(err.Error(), "the kernel takes 4096") {
		t.Errorf("CompileFor says %v, want that it is too long", err)
	}
}

// TestConditions: includes and excludes as Docker reads them, for a program without capabilities.
func TestConditions(t *testing.T) {
	for _, tt := range []struct {
		members string
		target  Target
		holds   bool
	}{
		{`"includes": {}`, linux61, true},
		{`"excludes": {}`, linux61, true},
		{`"includes": {"caps": ["CAP_SYS_ADMIN"]}`, linux61, false},
		{`"excludes": {"caps": ["CAP_SYS_ADMIN"]}`, linux61, true},
		{`"includes": {"arches": ["amd64", "x32"]}`, linux61, true},
		{`"includes": {"arches": ["arm64"]}`, linux61, false},
		{`"includes": {"arches": ["arm64"]}`, Target{AARCH64, Kernel{6, 1}}, true},
		{`"excludes": {"arches": ["s390x"]}`, linux61, true},
		{`"excludes": {"arches": ["amd64"]}`, linux61, false},
		{`"includes": {"minKernel": "6.1"}`, linux61, true},
		{`"includes": {"minKernel": "6.2"}`, linux61, false},
		{`"includes": {"minKernel": "4.18"}`, linux61, true},
		{`"excludes": {"minKernel": "4.8"}`, linux61, false},
		{`"excludes": {"minKernel": "7.0"}`, linux61, true},
		{`"includes": {"arches": ["amd64"]}, "excludes": {"arches": ["amd64"]}`, linux61, false},
	} {
		p := mustParse(t, `{"defaultAction": "SCMP_ACT_ERRNO", "syscalls": [{"name": "ptrace", "action": "SCMP_ACT_ALLOW", `+tt.members+`}]}`)
		d, err := p.Decide(tt.target, Call{Arch: tt.target.Arch, Name: "ptrace"})
		if err != nil || (d.Action == ActAllow) != tt.holds {
			t.Errorf("%s on %v: Decide = %s, %v, want the rule to hold: %v", tt.members, tt.target, d, err, tt.holds)
		}
	}
}

func TestProgramTellsWhatItNeeds(t *testing.T) {
	p := mustParse(t, `{"defaultAction": "SCMP_ACT_ERRNO", "flags": ["SECCOMP_FILTER_FLAG_LOG"], "syscalls": [
		{"name": "riscv_hwprobe", "action": "SCMP_ACT_ALLOW"}, {"name": "rseq_slice_yield", "action": "SCMP_ACT_ALLOW"},
		{"name": "socket", "action": "SCMP_ACT_NOTIFY"}]}`)
	prog, err := p.CompileFor(foreign())
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(prog.Unknown, []string{"rseq_slice_yield"}) || !prog.Notify || !slices.Equal(prog.Flags, []Flag{FlagLog}) || prog.Digest != p.Digest() {
		t.Errorf("program %+v, want Unknown rseq_slice_yield, Notify, the flag and the digest", prog)
	}
	if prog, err = p.Compile(); err != nil || len(prog.Unknown) > 0 {
		t.Errorf("on the host: Unknown %v, %v, want none: it has a number", prog.Unknown, err)
	}
}

func TestDefaultCompilesWithoutUnknowns(t *testing.T) {
	prog, err := Default().Compile()
	if err != nil || len(prog.Unknown) > 0 || prog.Notify || len(prog.Flags) > 0 {
		t.Errorf("Unknown %v, Notify %v, Flags %v, %v, want nothing special", prog.Unknown, prog.Notify, prog.Flags, err)
	}
}

func BenchmarkCompileDefault(b *testing.B) {
	p := Default()
	for b.Loop() {
		if _, err := p.Compile(); err != nil {
			b.Fatal(err)
		}
	}
}
