package daemon

import (
	"strings"
	"testing"

	"ccee/api/job"
	"ccee/seccomp"
)

const keyctlFromPython = `
import ctypes, os
libc = ctypes.CDLL(None, use_errno=True)
for i in range(3):
    libc.syscall(250, 0x10, -3)
    print(os.strerror(ctypes.get_errno()))
`

// TestDeniedSyscalls: a refused call is named, with its first arguments and its count, in the result, the metrics and the log.
func TestDeniedSyscalls(t *testing.T) {
	s := realDaemon(t, nil)
	step := last(t, s.runSpec(t, job.Spec{Language: "python", Source: keyctlFromPython}))
	if got, want := string(step.Stdout.Data), strings.Repeat("Operation not permitted\n", 3); got != want {
		t.Errorf("stdout %q, want %q", got, want)
	}
	if len(step.DeniedSyscalls) != 1 {
		t.Fatalf("denied %+v, want keyctl alone", step.DeniedSyscalls)
	}
	d := step.DeniedSyscalls[0]
	if d.Name != "keyctl" || d.Nr != 250 || d.Count != 3 || d.Errno != "EPERM" || d.Killed || len(d.Args) != 6 || d.Args[0] != "0x10" {
		t.Errorf("denied %+v", d)
	}
	if _, got := s.ask(t, "GET", "/metrics", "", ""); !strings.Contains(got, `ccee_daemon_denied_syscalls_total{syscall="keyctl"} 3`) {
		t.Errorf("metrics don't count it:\n%s", got)
	}
	if got := s.log.String(); !strings.Contains(got, `"deniedSyscalls":{"keyctl":3}`) {
		t.Errorf("the log doesn't name it:\n%s", got)
	}
}

// TestNothingDeniedAtStart: what the languages do by themselves is hardly ever in the list, so what is there means something.
func TestNothingDeniedAtStart(t *testing.T) {
	s := realDaemon(t, nil)
	known := map[string]string{
		"javascript": "io_uring_setup", // Node asks for it and goes without
		"java":       "socket",         // javac asks whether there are networks
	}
	for language, source := range map[string]string{"python": "import threading, subprocess, tempfile, socket", "javascript": "require('worker_threads'); require('net')", "java": javaHello} {
		res := s.runSpec(t, job.Spec{Language: language, Source: source})
		for _, step := range res.Steps {
			for _, d := range step.DeniedSyscalls {
				if d.Name != known[language] {
					t.Errorf("%s, %s: %+v", language, step.Name, d)
				}
			}
		}
	}
}

// TestKillingPolicy: a call that the policy kills for ends the job, and is named.
func TestKillingPolicy(t *testing.T) {
	policy, err := seccomp.Parse([]byte(`{"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"name": "keyctl", "action": "SCMP_ACT_KILL_PROCESS"}]}`))
	if err != nil {
		t.Fatal(err)
	}
	s := realDaemon(t, func(o *Options) { o.Policy = policy })
	step := last(t, s.runSpec(t, job.Spec{Language: "python", Source: keyctlFromPython}))
	if step.Verdict != job.BadSyscall || len(step.DeniedSyscalls) != 1 || step.DeniedSyscalls[0].Name != "keyctl" || !step.DeniedSyscalls[0].Killed {
		t.Errorf("%+v\n%s", step.DeniedSyscalls, describeStep(step))
	}
	if len(step.Evidence) == 0 || step.Evidence[0] != (job.Evidence{Source: "seccomp notification", Value: 250, Unit: "syscall"}) {
		t.Errorf("evidence %+v", step.Evidence)
	}
}
