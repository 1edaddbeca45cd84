// SPDX-License-Identifier: Apache-2.0

package seccomp

import (
	"fmt"
	"slices"
	"syscall"
	"testing"
)

// TestDefaultSockets tries every family, type and protocol on the default policy: TCP, UDP, AF_UNIX and NETLINK_ROUTE, nothing else;
// and what is refused gets an error of socket(2), which programs know, and not that there are no sockets.
func TestDefaultSockets(t *testing.T) {
	rs, err := Default().ruleset(Target{X86_64, Kernel{6, 1}})
	if err != nil {
		t.Fatal(err)
	}
	known := []syscall.Errno{syscall.EAFNOSUPPORT, syscall.EPROTONOSUPPORT, syscall.ESOCKTNOSUPPORT, syscall.EPERM}
	for family := range uint64(64) {
		for kind := uint64(1); kind <= 10; kind++ {
			for protocol := range uint64(512) {
				var want bool
				switch family {
				case syscall.AF_UNIX:
					want = true // the kernel knows three types and one protocol
				case syscall.AF_INET, syscall.AF_INET6:
					want = kind == syscall.SOCK_STREAM && (protocol == 0 || protocol == syscall.IPPROTO_TCP) ||
						kind == syscall.SOCK_DGRAM && (protocol == 0 || protocol == syscall.IPPROTO_UDP)
				case syscall.AF_NETLINK:
					want = (kind == syscall.SOCK_RAW || kind == syscall.SOCK_DGRAM) && protocol == syscall.NETLINK_ROUTE
				}
				d := rs.decide(Call{X86_64, "socket", [6]uint64{family, kind | syscall.SOCK_CLOEXEC, protocol}})
				if (d.Action == ActAllow) != want {
					t.Fatalf("socket(%d, %d, %d): %s, want allowed: %v", family, kind, protocol, d, want)
				}
				odd := family == syscall.AF_NETLINK && (kind != syscall.SOCK_RAW && kind != syscall.SOCK_DGRAM || protocol > 31)
				if !want && !odd && !slices.Contains(known, d.Errno) {
					t.Fatalf("socket(%d, %d, %d): %s, want an errno of socket(2)", family, kind, protocol, d)
				}
			}
		}
		want := family == syscall.AF_UNIX
		if d := rs.decide(Call{X86_64, "socketpair", [6]uint64{family, syscall.SOCK_STREAM}}); (d.Action == ActAllow) != want {
			t.Errorf("socketpair(%d): %s, want allowed: %v", family, d, want)
		}
	}
}

// TestDefaultSocketOptions: an option that the policy doesn't allow is one that the kernel doesn't have, for every level that
// TCP, UDP and IP sockets have.
func TestDefaultSocketOptions(t *testing.T) {
	rs, err := Default().ruleset(Target{X86_64, Kernel{6, 1}})
	if err != nil {
		t.Fatal(err)
	}
	for _, level := range []uint64{syscall.IPPROTO_IP, syscall.SOL_SOCKET, syscall.IPPROTO_TCP, syscall.IPPROTO_UDP, syscall.IPPROTO_IPV6} {
		for name := range uint64(96) {
			for _, call := range []string{"setsockopt", "getsockopt"} {
				d := rs.decide(Call{X86_64, call, [6]uint64{3, level, name}})
				if d.Action != ActAllow && d.Errno != syscall.ENOPROTOOPT && d.Errno != syscall.ENODEV {
					t.Errorf("%s(%d, %d): %s, want it allowed, ENOPROTOOPT, or ENODEV for a multicast group", call, level, name, d)
				}
			}
		}
	}
}

// TestWithoutNetwork: a program without network gets no socket but AF_UNIX, whatever the policy allows, and all else as the policy has it.
func TestWithoutNetwork(t *testing.T) {
	const (
		allowAll   = `{"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"name": "keyctl", "action": "SCMP_ACT_ERRNO"}]}`
		noSockets  = `{"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["socket", "socketpair"], "action": "SCMP_ACT_ERRNO", "errnoRet": 13}]}`
		noNetworks = `{"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"name": "socket", "action": "SCMP_ACT_KILL_PROCESS", "args": [{"index": 0, "value": 2, "op": "SCMP_CMP_EQ"}]}]}`
	)
	policies := []*Policy{Default()}
	for _, text := range []string{allowAll, noSockets, noNetworks} {
		policies = append(policies, mustParse(t, text))
	}
	for i, p := range policies {
		for _, arch := range []Arch{X86_64, AARCH64} {
			with, err := p.compileNotify(Target{arch, Kernel{6, 1}})
			if err != nil {
				t.Fatal(err)
			}
			without := with.WithoutNetwork()
			for _, name := range knownNames() {
				nr, ok := numberOn(arch, name)
				if !ok {
					continue
				}
				for _, first := range []uint64{0, 1, 2, 10, 16, 17, 40, 45, 200, upper | 1, upper | 2} {
					args := [6]uint64{first, 1, 0}
					network := (name == "socket" || name == "socketpair") && uint32(first) != syscall.AF_UNIX
					want, answer := run(t, with.BPF, nr, arch.audit(), args), with.Answer(arch.audit(), nr, args)
					if network {
						want, answer = retNotify, Decision{Action: ActErrno, Errno: syscall.EAFNOSUPPORT}
					}
					what := fmt.Sprintf("policy %d, %s: %s%#x", i, arch, name, args)
					if got := run(t, without.BPF, nr, arch.audit(), args); got != want {
						t.Errorf("%s: the program returns %#x, want %#x", what, got, want)
					}
					if got := without.Answer(arch.audit(), nr, args); !got.same(answer) {
						t.Errorf("%s: the answer is %s, want %s", what, got, answer)
					}
				}
			}
			if got := run(t, without.BPF, 41, auditI386, [6]uint64{2}); got != retNotify {
				t.Errorf("policy %d: a foreign architecture gets %#x, want %#x", i, got, retNotify)
			}
		}
	}
}
