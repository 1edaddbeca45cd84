// SPDX-License-Identifier: Apache-2.0

package escape

import (
	"fmt"
	"slices"
	"strings"
)

// Set is a choice of probes.
type Set string

// The sets.
const (
	All  Set = "all"
	Fast Set = "fast" // one or a few for each control, together some tens of milliseconds

	// Offline are those for a sandbox without network, and for no other.
	Offline Set = "offline"
)

// Args are the arguments with which this binary, executed in a sandbox, tries the probes of a set. Its path is that of
// sandbox-init, which a program can't open but may execute before its own is: so no copy of the binary has to go in.
func Args(set Set) []string { return []string{"/proc/self/exe", "sandbox-probe", string(set)} }

// Outcome is what one probe came to.
type Outcome struct {
	Group    string // of controls: "mounts"
	Name     string // what was tried: "chroot"
	Held     bool
	Evidence string // "EPERM", or what was seen
	Given    string // why it can't hold in the tier that it was tried in; "" where it must
}

// Lost says which of the outcomes did not hold and should have: "ptrace, be traced: it worked and returned 0".
func Lost(outcomes []Outcome) []string {
	var lost []string
	for _, o := range outcomes {
		if !o.Held && o.Given == "" {
			lost = append(lost, fmt.Sprintf("%s, %s: %s", o.Group, o.Name, o.Evidence))
		}
	}
	return lost
}

// Given names those of the outcomes that can't hold in the tier that they were tried in: "proc, processes".
func Given(outcomes []Outcome) []string {
	var names []string
	for _, o := range outcomes {
		if o.Given != "" {
			names = append(names, o.Group+", "+o.Name)
		}
	}
	return names
}

// words are the reports of a probe that found the sandbox as it must be.
var words = []string{"refused", "held"}

// Parse reads the report of a run. A report that is cut short is an error: what was not tried has not held.
func Parse(stdout string) ([]Outcome, error) {
	var all []Outcome
	for line := range strings.Lines(stdout) {
		line = strings.TrimSuffix(line, "\n")
		if n, ok := strings.CutPrefix(line, "end: "); ok {
			if n != fmt.Sprint(len(all)) {
				return nil, fmt.Errorf("the probes reported %d outcomes of %s", len(all), n)
			}
			return all, nil
		}
		o, err := parseLine(line)
		if err != nil {
			return nil, err
		}
		all = append(all, o)
	}
	return nil, fmt.Errorf("the probes ended before the end, after %d outcomes", len(all))
}

func parseLine(line string) (Outcome, error) {
	what, rest, ok1 := strings.Cut(line, ": ")
	word, evidence, ok2 := strings.Cut(rest, ": ")
	group, name, ok3 := strings.Cut(what, "/")
	if !ok1 || !ok2 || !ok3 {
		return Outcome{}, fmt.Errorf("no report of a probe: %q", line)
	}
	o := Outcome{Group: group, Name: name, Held: slices.Contains(words, word), Evidence: evidence}
	if !o.Held && word != "ESCAPED" {
		o.Evidence = word + ": " + evidence
	}
	return o, nil
}

// fixes say, for each group, what to look at when one of its probes got through.
var fixes = map[string]string{
	"namespaces":  "the seccomp policy must refuse unshare, setns and clone with CLONE_NEW*, and user.max_user_namespaces must be per namespace (Linux 4.9): use the built-in policy",
	"mounts":      "the seccomp policy must refuse the mount calls: use the built-in policy; look for a kernel patch or module that changes who may mount",
	"files":       "look at the image's modes and at how the image directory is mounted; ccee image verify",
	"cgroup":      "the kernel must have cgroup namespaces (CONFIG_CGROUPS, Linux 4.6); nothing but the job's own cgroup may be in /sys, read-only",
	"proc":        "the kernel shows a file that is not masked: report it with the kernel's version; sysctl kernel.kptr_restrict=1, kernel.dmesg_restrict=1",
	"fds":         "a descriptor leaked into the sandbox: report it; close_range needs Linux 5.11",
	"signals":     "the pid namespace does not hold: report it with the kernel's version",
	"ptrace":      "the seccomp policy must refuse ptrace and kin: use the built-in policy; sysctl kernel.yama.ptrace_scope=1",
	"identity":    "ids, capabilities or no_new_privs are not as set: report it with the kernel's version",
	"inherited":   "start the daemon with a clean environment; report what was inherited; sysctl kernel.core_pattern=core",
	"keyrings":    "the seccomp policy must refuse add_key, request_key and keyctl: use the built-in policy",
	"io_uring":    "the seccomp policy must refuse io_uring: use the built-in policy; sysctl kernel.io_uring_disabled=2",
	"bpf":         "the seccomp policy must refuse bpf and seccomp: use the built-in policy; sysctl kernel.unprivileged_bpf_disabled=1",
	"perf":        "the seccomp policy must refuse perf_event_open: use the built-in policy; sysctl kernel.perf_event_paranoid=3",
	"userfaultfd": "the seccomp policy must refuse userfaultfd: use the built-in policy; sysctl vm.unprivileged_userfaultfd=0",
	"machine":     "a device or a call of the machine is open to unprivileged programs: look at the seccomp policy and at who may do that on the host",
	"time":        "the seccomp policy must refuse setting the clock: use the built-in policy",
	"abi":         "the seccomp policy must refuse other calling conventions, personality, modify_ldt and rare codes of futex and arch_prctl: use the built-in policy",
	"memory":      "the seccomp policy must refuse huge pages, NUMA calls and rare advice (MADV_MERGEABLE): use the built-in policy; sysctl vm.mmap_min_addr=65536",
	"cpu":         "real-time limits leak in: start the daemon without CAP_SYS_NICE limits of its own (RLIMIT_NICE, RLIMIT_RTPRIO); the seccomp policy must refuse sched_setattr: use the built-in policy",
	"pids":        "the pids controller or RLIMIT_NPROC does not hold: see ccee doctor",
	"disk":        "the size of a tmpfs or RLIMIT_FSIZE does not hold: report it with the kernel's version; the seccomp policy must refuse O_DIRECT and answer fsync itself: use the built-in policy",
	"ipc":         "the ipc namespace does not hold: report it with the kernel's version",
	"sockets":     "the seccomp policy must refuse all families but AF_UNIX, inet and inet6, and MSG_OOB: use the built-in policy",
	"network":     "the seccomp policy must refuse what is not TCP, UDP or NETLINK_ROUTE, and their rare options: use the built-in policy; look for network devices that new namespaces get (sysctl net.core.fb_tunnels_only_for_init_net=2)",
	"terminals":   "the seccomp policy must refuse TIOCSTI, TIOCLINUX and TIOCSETD: use the built-in policy; sysctl dev.tty.legacy_tiocsti=0, dev.tty.ldisc_autoload=0",
}

// Fix says what to do when a probe of group got through.
func Fix(group string) string {
	if fix, ok := fixes[group]; ok {
		return fix
	}
	return "report it with the kernel's version"
}
