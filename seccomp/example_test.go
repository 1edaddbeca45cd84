// SPDX-License-Identifier: Apache-2.0

package seccomp_test

import (
	"fmt"
	"log"

	"github.com/ccee-dev/ccee/seccomp"
)

const policy = `{
	"defaultAction": "SCMP_ACT_ERRNO",
	"syscalls": [
		{"names": ["read", "write", "exit_group", "execve"], "action": "SCMP_ACT_ALLOW"},
		{"names": ["socket"], "action": "SCMP_ACT_ALLOW",
			"args": [{"index": 0, "value": 1, "op": "SCMP_CMP_EQ"}], "comment": "AF_UNIX alone"},
		{"names": ["bpf"], "action": "SCMP_ACT_KILL_PROCESS", "comment": "nothing here needs it"}
	]}`

// A policy is compiled to what seccomp(2) loads.
func ExamplePolicy_CompileFor() {
	p, err := seccomp.Parse([]byte(policy))
	if err != nil {
		log.Fatal(err)
	}
	program, err := p.CompileFor(seccomp.Target{Arch: seccomp.X86_64, Kernel: seccomp.Kernel{Major: 6, Minor: 1}})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("instructions:", len(program.BPF) > 0, "calls unknown here:", program.Unknown)
	_, err = seccomp.Parse([]byte(`{"defaultAction": "SCMP_ACT_ERRNO", "syscalls": [{"name": "raed", "action": "SCMP_ACT_ALLOW"}]}`))
	fmt.Println(err)
	// Output:
	// instructions: true calls unknown here: []
	// seccomp policy: syscalls[0].names[0]: there is no system call "raed"; did you mean "read"?
}

// What a policy does to a call, and which of its rules says so, is known without the kernel.
func ExamplePolicy_Decide() {
	p, err := seccomp.Parse([]byte(policy))
	if err != nil {
		log.Fatal(err)
	}
	target := seccomp.Target{Arch: seccomp.X86_64, Kernel: seccomp.Kernel{Major: 6, Minor: 1}}
	for _, call := range []seccomp.Call{
		{Arch: target.Arch, Name: "read"},
		{Arch: target.Arch, Name: "socket", Args: [6]uint64{1}}, // AF_UNIX
		{Arch: target.Arch, Name: "socket", Args: [6]uint64{2}}, // AF_INET
		{Arch: target.Arch, Name: "bpf"},
	} {
		d, err := p.Decide(target, call)
		if err != nil {
			log.Fatal(err)
		}
		why := "the default"
		if d.Rule != seccomp.NoRule {
			why = fmt.Sprintf("rule %d: %q", d.Rule, p.Syscalls[d.Rule].Comment)
		}
		fmt.Printf("%s(%d): %s, by %s\n", call.Name, call.Args[0], d, why)
	}
	// Output:
	// read(0): SCMP_ACT_ALLOW, by rule 0: ""
	// socket(1): SCMP_ACT_ALLOW, by rule 1: "AF_UNIX alone"
	// socket(2): SCMP_ACT_ERRNO 1 (operation not permitted), by the default
	// bpf(0): SCMP_ACT_KILL_PROCESS, by rule 2: "nothing here needs it"
}
