// SPDX-License-Identifier: Apache-2.0

package seccomp

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
)

// tryer makes system calls under a filter on the running kernel; see testdata/try.c.
type tryer struct{ path string }

func newTryer(t testing.TB) tryer {
	t.Helper()
	cc := os.Getenv("CC")
	if cc == "" {
		cc = "cc"
	}
	path := filepath.Join(t.TempDir(), "try")
	if out, err := exec.Command(cc, "-O1", "-Wall", "-Wextra", "-Werror", "-o", path, filepath.Join("testdata", "try.c")).CombinedOutput(); err != nil {
		t.Fatalf("compile testdata/try.c: %v\n%s", err, out)
	}
	return tryer{path}
}

// call returns "= RESULT", "errno N" or the name of the signal that ended the process.
func (try tryer) call(t testing.TB, program []byte, abi string, nr int32, args ...uint64) string {
	t.Helper()
	argv := []string{abi, fmt.Sprint(nr)}
	for _, a := range args {
		argv = append(argv, fmt.Sprintf("%#x", a))
	}
	cmd := exec.Command(try.path, argv...)
	cmd.Stdin = bytes.NewReader(program)
	var out, errs strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &errs
	err := cmd.Run()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		if status := exit.Sys().(syscall.WaitStatus); status.Signaled() {
			return status.Signal().String()
		}
	}
	if err != nil {
		t.Fatalf("try %v: %v\n%s", argv, err, errs.String())
	}
	return strings.TrimSpace(out.String())
}

// mark lets the filter's errors be told from the kernel's: it answers with 1000 more. No errno of Linux is that large.
const mark = 1000

func marked(p *Policy) *Policy {
	up := func(errno *uint16) *uint16 {
		n := uint16(syscall.EPERM)
		if errno != nil {
			n = *errno
		}
		n += mark
		return &n
	}
	q := &Policy{DefaultAction: p.DefaultAction, DefaultErrno: up(p.DefaultErrno), ArchMap: p.ArchMap}
	for _, s := range p.Syscalls {
		if s.Action == ActErrno {
			s.Errno = up(s.Errno)
		}
		q.Syscalls = append(q.Syscalls, s)
	}
	return q
}

func mustCompile(t testing.TB, p *Policy) []byte {
	t.Helper()
	prog, err := p.Compile()
	if err != nil {
		t.Fatal(err)
	}
	return prog.BPF
}

const upper = 1 << 32 // a bit that the kernel doesn't look at in an int

// TestDefaultOnKernel tries what the default policy is there for.
func TestDefaultOnKernel(t *testing.T) {
	const (
		allowed                                     = "allowed"
		eperm, enosys, enomem, einval, eafnosupport = "errno 1001", "errno 1038", "errno 1012", "errno 1022", "errno 1097"
		eopnotsupp, enoprotoopt                     = "errno 1095", "errno 1092"
		eprotonosupport, esocktnosupport, enodev    = "errno 1093", "errno 1094", "errno 1019"
		done                                        = "errno 1000" // 0: as if it were
		direct                                      = syscall.O_DIRECT
	)
	try, program := newTryer(t), mustCompile(t, marked(Default()))
	for _, tt := range []struct {
		name string
		call string
		args []uint64
		want string
	}{
		{"getpid", "getpid", nil, allowed},
		{"futex", "futex", nil, allowed},
		{"new call that glibc probes", "mseal", nil, allowed},
		{"openat", "openat", []uint64{0, 0, syscall.O_RDWR | syscall.O_CREAT | syscall.O_SYNC | syscall.O_DIRECTORY | syscall.O_TRUNC}, allowed},
		{"openat O_DIRECT", "openat", []uint64{0, 0, direct}, einval},
		{"openat O_DIRECT with upper bits", "openat", []uint64{0, 0, upper | direct | syscall.O_CLOEXEC}, einval},
		{"openat2", "openat2", nil, enosys},
		{"F_SETFL", "fcntl", []uint64{99, syscall.F_SETFL, syscall.O_NONBLOCK | syscall.O_APPEND}, allowed},
		{"F_SETFL O_DIRECT", "fcntl", []uint64{99, syscall.F_SETFL, direct | syscall.O_NONBLOCK}, einval},
		{"F_SETFL O_DIRECT with upper bits", "fcntl", []uint64{99, upper | syscall.F_SETFL, upper | direct}, einval},
		{"F_GETFL", "fcntl", []uint64{99, syscall.F_GETFL, direct}, allowed},
		{"preadv2 RWF_HIPRI|RWF_NOWAIT", "preadv2", []uint64{99, 0, 0, 0, 0, 9}, allowed},
		{"pwritev2 RWF_DSYNC|RWF_SYNC|RWF_APPEND", "pwritev2", []uint64{99, 0, 0, 0, 0, 0x16}, allowed},
		{"preadv2 RWF_DONTCACHE", "preadv2", []uint64{99, 0, 0, 0, 0, 0x80}, enosys},
		{"preadv2 RWF_DONTCACHE with upper bits", "preadv2", []uint64{99, 0, 0, 0, 0, upper | 0x89}, enosys},
		{"pwritev2 RWF_ATOMIC", "pwritev2", []uint64{99, 0, 0, 0, 0, 0x40}, enosys},
		{"fsync", "fsync", []uint64{1}, done},
		{"fsync with upper bits", "fsync", []uint64{upper | 1}, done},
		{"fsync of -1", "fsync", []uint64{1<<64 - 1}, "errno 9"}, // EBADF, from the kernel
		{"fdatasync", "fdatasync", []uint64{1}, done},
		{"sync_file_range", "sync_file_range", []uint64{1, 0, 0, 7}, done},
		{"MS_ASYNC", "msync", []uint64{0x10000, 4096, 1}, allowed},
		{"MS_SYNC", "msync", []uint64{0x10000, 4096, 4}, done},
		{"MS_SYNC with upper bits", "msync", []uint64{0x10000, 4096, upper | 6}, done},
		{"MS_SYNC within a page", "msync", []uint64{0x10800, 4096, 4}, enosys},
		{"sync", "sync", nil, enosys},
		{"O_NOTIFICATION_PIPE", "pipe2", []uint64{0, 0x80}, einval},
		{"pipe2 O_CLOEXEC|O_NONBLOCK|O_DIRECT", "pipe2", []uint64{0, syscall.O_CLOEXEC | syscall.O_NONBLOCK | direct}, allowed},
		{"MADV_DONTNEED", "madvise", []uint64{0, 4096, 4}, allowed},
		{"MADV_FREE", "madvise", []uint64{0, 4096, 8}, allowed},
		{"MADV_HUGEPAGE", "madvise", []uint64{0, 4096, 14}, allowed},
		{"MADV_GUARD_INSTALL", "madvise", []uint64{0, 4096, 102}, allowed},
		{"MADV_MERGEABLE", "madvise", []uint64{0, 4096, 12}, einval},
		{"MADV_MERGEABLE with upper bits", "madvise", []uint64{0, 4096, upper | 12}, einval},
		{"MADV_COLD", "madvise", []uint64{0, 4096, 20}, einval},
		{"MADV_PAGEOUT", "madvise", []uint64{0, 4096, 21}, einval},
		{"MADV_COLLAPSE", "madvise", []uint64{0, 4096, 25}, einval},
		{"MADV_SOFT_OFFLINE", "madvise", []uint64{0, 4096, 101}, enosys},
		{"MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED", "membarrier", []uint64{16}, allowed},
		{"MEMBARRIER_CMD_GLOBAL_EXPEDITED", "membarrier", []uint64{2}, enosys},
		{"MEMBARRIER_CMD_REGISTER_GLOBAL_EXPEDITED", "membarrier", []uint64{upper | 4}, enosys},
		{"FUTEX_LOCK_PI_PRIVATE", "futex", []uint64{0, 134}, allowed},
		{"FUTEX_WAIT_BITSET by the clock of day", "futex", []uint64{0, 9 | 128 | 256}, allowed},
		{"FUTEX_LOCK_PI2", "futex", []uint64{0, 13}, allowed},
		{"FUTEX_WAIT_REQUEUE_PI", "futex", []uint64{0, 11 | 128}, enosys},
		{"FUTEX_CMP_REQUEUE_PI", "futex", []uint64{0, upper | 12}, enosys},
		{"sched_setattr", "sched_setattr", nil, enosys},
		{"send", "sendto", []uint64{99, 0, 0, 0xc840}, allowed},
		{"send MSG_OOB", "sendto", []uint64{99, 0, 0, 1}, eopnotsupp},
		{"send MSG_OOB with upper bits", "sendto", []uint64{99, 0, 0, upper | 0x4001}, eopnotsupp},
		{"send MSG_FASTOPEN", "sendto", []uint64{99, 0, 0, 0x20000000}, eopnotsupp},
		{"send MSG_FASTOPEN|MSG_OOB", "sendto", []uint64{99, 0, 0, 0x20000001}, eopnotsupp},
		{"sendmsg MSG_OOB", "sendmsg", []uint64{99, 0, 1}, eopnotsupp},
		{"sendmsg MSG_FASTOPEN", "sendmsg", []uint64{99, 0, 0x20000000}, eopnotsupp},
		{"sendmmsg MSG_OOB", "sendmmsg", []uint64{99, 0, 0, 1}, eopnotsupp},
		{"recv", "recvfrom", []uint64{99, 0, 0, 0x142}, allowed},
		{"recv MSG_OOB", "recvfrom", []uint64{99, 0, 0, 1}, eopnotsupp},
		{"recv MSG_OOB|MSG_PEEK with upper bits", "recvfrom", []uint64{99, 0, 0, upper | 3}, eopnotsupp},
		{"recvmsg MSG_OOB", "recvmsg", []uint64{99, 0, 1}, eopnotsupp},
		{"recvmsg MSG_CMSG_CLOEXEC", "recvmsg", []uint64{99, 0, 0x40000000}, allowed},
		{"recvmmsg MSG_OOB", "recvmmsg", []uint64{99, 0, 0, 1}, eopnotsupp},
		{"MAP_GROWSDOWN", "mmap", []uint64{0, 4096, 3, 0x122, 1<<64 - 1, 0}, einval},
		{"mq_open", "mq_open", nil, enosys},
		{"tee", "tee", nil, enosys},
		{"RLIMIT_CORE", "prlimit64", []uint64{0, 4, 0x7000_0000_0000, 0}, "= 0"},
		{"RLIMIT_CORE and what it was", "prlimit64", []uint64{0, 4, 0x7000_0000_0000, 0x7000_0000_0000}, "errno 1"},
		{"RLIMIT_NOFILE", "prlimit64", []uint64{0, 7, 0, 0}, allowed},
		{"AF_UNIX", "socket", []uint64{1, 1, 0}, allowed},
		{"AF_UNIX with upper bits", "socket", []uint64{upper | 1, 1, 0}, allowed},
		{"AF_UNSPEC", "socket", []uint64{0, 1, 0}, eafnosupport},
		{"TCP", "socket", []uint64{2, 1, 6}, allowed},
		{"TCP with flags", "socket", []uint64{2, 0x80801, 0}, allowed},
		{"TCP with upper bits", "socket", []uint64{upper | 2, upper | 1, upper | 6}, allowed},
		{"UDP over IPv6", "socket", []uint64{10, 2, 17}, allowed},
		{"raw IP", "socket", []uint64{2, 3, 255}, eperm},
		{"raw IP with flags and upper bits", "socket", []uint64{upper | 2, upper | 0x80803, 1}, eperm},
		{"raw IPv6", "socket", []uint64{10, 3, 58}, eperm},
		{"MPTCP", "socket", []uint64{2, 1, 262}, eprotonosupport},
		{"MPTCP with upper bits", "socket", []uint64{2, 1, upper | 262}, eprotonosupport},
		{"SMC", "socket", []uint64{2, 1, 256}, eprotonosupport},
		{"SCTP", "socket", []uint64{2, 1, 132}, eprotonosupport},
		{"SCTP of packets", "socket", []uint64{10, 5, 132}, esocktnosupport},
		{"DCCP", "socket", []uint64{2, 6, 33}, esocktnosupport},
		{"UDPLITE", "socket", []uint64{2, 2, 136}, eprotonosupport},
		{"ping", "socket", []uint64{2, 2, 1}, eprotonosupport},
		{"ping over IPv6", "socket", []uint64{10, 2, 58}, eprotonosupport},
		{"L2TP", "socket", []uint64{2, 2, 115}, eprotonosupport},
		{"a pair of inet", "socketpair", []uint64{2, 1, 0, 0}, eopnotsupp},
		{"NETLINK_ROUTE", "socket", []uint64{16, 0x80003, 0}, allowed},
		{"NETLINK_SOCK_DIAG", "socket", []uint64{16, 3, 4}, eprotonosupport},
		{"NETLINK_XFRM", "socket", []uint64{16, 3, 6}, eprotonosupport},
		{"NETLINK_NETFILTER", "socket", []uint64{16, 2, 12}, eprotonosupport},
		{"NETLINK_GENERIC with upper bits", "socket", []uint64{16, 3, upper | 16}, eprotonosupport},
		{"AF_PACKET", "socket", []uint64{17, 3, 0}, eafnosupport},
		{"AF_ALG", "socket", []uint64{38, 5, 0}, eafnosupport},
		{"AF_VSOCK", "socket", []uint64{40, 1, 0}, eafnosupport},
		{"AF_MCTP, the last one", "socket", []uint64{45, 2, 0}, eafnosupport},
		{"AF_TIPC pair", "socketpair", []uint64{30, 1, 0, 0}, eafnosupport},
		{"no such family", "socket", []uint64{65, 1, 0}, enosys},
		{"SO_RCVTIMEO", "setsockopt", []uint64{99, 1, 20}, allowed},
		{"SO_ATTACH_FILTER", "setsockopt", []uint64{99, 1, 26}, enoprotoopt},
		{"SO_ATTACH_FILTER with upper bits", "setsockopt", []uint64{99, 1, upper | 26}, enoprotoopt},
		{"SO_TIMESTAMP", "setsockopt", []uint64{99, 1, 29}, enoprotoopt},
		{"SO_ATTACH_REUSEPORT_CBPF", "setsockopt", []uint64{99, 1, 51}, enoprotoopt},
		{"IPT_SO_SET_REPLACE", "setsockopt", []uint64{99, 0, 64}, enoprotoopt},
		{"IP_OPTIONS", "setsockopt", []uint64{99, 0, 4}, enoprotoopt},
		{"IP_ADD_MEMBERSHIP", "setsockopt", []uint64{99, 0, 35}, enodev},
		{"IPV6_V6ONLY", "setsockopt", []uint64{99, 41, 26}, allowed},
		{"IPV6_JOIN_GROUP", "setsockopt", []uint64{99, 41, 20}, enodev},
		{"IPV6_FLOWLABEL_MGR", "setsockopt", []uint64{99, 41, 32}, enoprotoopt},
		{"TCP_NODELAY", "setsockopt", []uint64{99, 6, 1}, allowed},
		{"TCP_ULP", "setsockopt", []uint64{99, 6, 31}, enoprotoopt},
		{"TCP_ULP with upper bits", "setsockopt", []uint64{99, upper | 6, upper | 31}, enoprotoopt},
		{"TCP_CONGESTION", "setsockopt", []uint64{99, 6, 13}, enoprotoopt},
		{"TCP_REPAIR", "setsockopt", []uint64{99, 6, 19}, enoprotoopt},
		{"UDP_ENCAP", "setsockopt", []uint64{99, 17, 100}, enoprotoopt},
		{"NETLINK_ADD_MEMBERSHIP", "setsockopt", []uint64{99, 270, 1}, enoprotoopt},
		{"SOL_SCTP", "setsockopt", []uint64{99, 132, 1}, enosys},
		{"SO_PEERCRED", "getsockopt", []uint64{99, 1, 17}, allowed},
		{"TCP_INFO", "getsockopt", []uint64{99, 6, 11}, allowed},
		{"TCP_ZEROCOPY_RECEIVE", "getsockopt", []uint64{99, 6, 35}, enoprotoopt},
		{"fork", "clone", []uint64{17}, allowed},
		{"clone CLONE_NEWUSER", "clone", []uint64{0x10000011}, eperm},
		{"clone CLONE_NEWUSER with upper bits", "clone", []uint64{upper | 0x10000011}, eperm},
		{"clone CLONE_NEWPID|NEWNET", "clone", []uint64{0x60000011}, eperm},
		{"clone CLONE_NEWNS", "clone", []uint64{0x20011}, eperm},
		{"clone CLONE_NEWCGROUP", "clone", []uint64{0x2000011}, eperm},
		{"clone3", "clone3", nil, enosys},
		{"unshare", "unshare", []uint64{0x10000000}, eperm},
		{"setns", "setns", nil, eperm},
		{"FIONREAD", "ioctl", []uint64{0, 0x541b, 0}, allowed},
		{"TCGETS", "ioctl", []uint64{0, 0x5401, 0}, allowed},
		{"TIOCSTI", "ioctl", []uint64{0, 0x5412, 0}, eperm},
		{"TIOCSTI with upper bits", "ioctl", []uint64{0, upper | 0x5412, 0}, eperm},
		{"TIOCLINUX", "ioctl", []uint64{0, 0x541c, 0}, eperm},
		{"TIOCSETD", "ioctl", []uint64{0, 0x5423, 0}, eperm},
		{"TIOCSCTTY", "ioctl", []uint64{0, 0x540e, 0}, allowed},
		{"SIOCGIFCONF", "ioctl", []uint64{99, 0x8912, 0}, allowed},
		{"SIOCSIFFLAGS", "ioctl", []uint64{99, 0x8914, 0}, enosys},
		{"NS_GET_USERNS", "ioctl", []uint64{0, 0xb701, 0}, enosys},
		{"F_SETLK", "fcntl", []uint64{0, 6, 0}, allowed},
		{"F_GETOWNER_UIDS", "fcntl", []uint64{0, 17, 0}, allowed},
		{"F_OFD_GETLK", "fcntl", []uint64{0, 36, 0}, einval},
		{"F_OFD_SETLK", "fcntl", []uint64{0, 37, 0}, einval},
		{"F_OFD_SETLKW with upper bits", "fcntl", []uint64{0, upper | 38, 0}, einval},
		{"F_DUPFD_CLOEXEC", "fcntl", []uint64{0, 1030, 0}, allowed},
		{"F_SETLEASE", "fcntl", []uint64{0, 1024, 0}, eperm},
		{"F_SETLEASE with upper bits", "fcntl", []uint64{0, upper | 1024, 0}, eperm},
		{"F_NOTIFY", "fcntl", []uint64{0, 1026, 0}, eperm},
		{"mmap", "mmap", []uint64{0, 4096, 3, 0x22, 1<<64 - 1, 0}, allowed},
		{"mmap MAP_HUGETLB", "mmap", []uint64{0, 4096, 3, 0x40022, 1<<64 - 1, 0}, enomem},
		{"memfd_create", "memfd_create", nil, allowed},
		{"memfd_create MFD_HUGETLB", "memfd_create", []uint64{0, 4}, enomem},
		{"personality query", "personality", []uint64{0xffffffff}, allowed},
		{"personality ADDR_NO_RANDOMIZE", "personality", []uint64{0x40000}, enosys},
		{"PR_SET_NAME", "prctl", []uint64{15, 0}, allowed},
		{"PR_SET_SECCOMP", "prctl", []uint64{22, 2, 0}, einval},
		{"PR_SET_SECCOMP with upper bits", "prctl", []uint64{upper | 22, 2, 0}, einval},
		{"PR_SCHED_CORE", "prctl", []uint64{62, 1, 0, 0, 0}, eperm},
		{"seccomp", "seccomp", []uint64{1}, enosys},
		{"setxattr of an ACL", "setxattr", nil, eopnotsupp},
		{"getxattr", "getxattr", nil, allowed},
		{"keyctl", "keyctl", nil, eperm},
		{"add_key", "add_key", nil, eperm},
		{"io_uring_setup", "io_uring_setup", []uint64{1}, eperm},
		{"userfaultfd", "userfaultfd", nil, eperm},
		{"bpf", "bpf", nil, eperm},
		{"perf_event_open", "perf_event_open", nil, eperm},
		{"open_by_handle_at", "open_by_handle_at", nil, eperm},
		{"ptrace", "ptrace", nil, eperm},
		{"process_vm_readv", "process_vm_readv", nil, eperm},
		{"pidfd_getfd", "pidfd_getfd", nil, eperm},
		{"mount", "mount", nil, eperm},
		{"move_mount", "move_mount", nil, eperm},
		{"chroot", "chroot", nil, eperm},
		{"inotify_init1", "inotify_init1", nil, enosys},
		{"io_setup", "io_setup", []uint64{1}, enosys},
		{"a call of tomorrow", "rseq_slice_yield", nil, enosys},
	} {
		t.Run(tt.name, func(t *testing.T) {
			nr, ok := numberOn(hostArch(t), tt.call)
			if !ok {
				t.Fatalf("%s has no number", tt.call)
			}
			got := try.call(t, program, "native", nr, tt.args...)
			if errno := 0; tt.want == allowed {
				if n, _ := fmt.Sscanf(got, "errno %d", &errno); n == 1 && errno >= mark || got == "bad system call" {
					t.Errorf("%s%#x: %s, from the filter, want it allowed", tt.call, tt.args, got)
				}
			} else if got != tt.want {
				t.Errorf("%s%#x: %s, want %s", tt.call, tt.args, got, tt.want)
			}
		})
	}
}

func hostArch(t testing.TB) Arch {
	t.Helper()
	host, err := Host()
	if err != nil {
		t.Fatal(err)
	}
	return host.Arch
}

// TestRefusedOnKernel tries every call that the default policy refuses whatever its arguments are.
func TestRefusedOnKernel(t *testing.T) {
	try, p := newTryer(t), marked(Default())
	program := mustCompile(t, p)
	host, err := Host()
	if err != nil {
		t.Fatal(err)
	}
	rs, err := p.ruleset(host)
	if err != nil {
		t.Fatal(err)
	}
	tried := 0
	for _, name := range knownNames() {
		nr, ok := numberOn(host.Arch, name)
		if rules := rs.rules[name]; !ok || len(rules) > 0 && (len(rules[0].args) > 0 || rules[0].Action != ActErrno) {
			continue
		}
		want := fmt.Sprintf("errno %d", int(rs.decide(Call{Arch: host.Arch, Name: name}).Errno))
		if got := try.call(t, program, "native", nr); got != want {
			t.Errorf("%s: %s, want %s", name, got, want)
		}
		tried++
	}
	if tried < 80 {
		t.Errorf("only %d refused calls tried", tried)
	}
}

// TestForeignABIOnKernel: calls by x32's numbers and by i386's gate kill the process, even under a policy that allows all.
func TestForeignABIOnKernel(t *testing.T) {
	if runtime.GOARCH != "amd64" {
		t.Skip("only x86_64 kernels have the i386 and x32 ABIs")
	}
	try := newTryer(t)
	const getpid, getpidI386 = 39, 20
	for name, policy := range map[string]*Policy{"default": Default(), "allow all": {DefaultAction: ActAllow}} {
		program := mustCompile(t, policy)
		if got := try.call(t, program, "native", getpid); !strings.HasPrefix(got, "= ") {
			t.Errorf("%s: native getpid: %s", name, got)
		}
		for abi, nr := range map[string]int32{"x32": getpid, "i386": getpidI386} {
			want := "bad system call"
			if try.call(t, nil, abi, nr) == "segmentation fault" {
				want = "segmentation fault" // without a filter too: this machine has no such gate
			}
			if got := try.call(t, program, abi, nr); got != want {
				t.Errorf("%s: %s getpid: %s, want %s", name, abi, got, want)
			}
		}
	}
}

// TestActionsOnKernel tries each action that ends or answers a call.
func TestActionsOnKernel(t *testing.T) {
	try := newTryer(t)
	for _, tt := range []struct{ action, want string }{
		{`"SCMP_ACT_KILL_PROCESS"`, "bad system call"},
		{`"SCMP_ACT_KILL_THREAD"`, "bad system call"}, // its only thread
		{`"SCMP_ACT_KILL"`, "bad system call"},
		{`"SCMP_ACT_TRAP"`, "bad system call"},
		{`"SCMP_ACT_ERRNO"`, "errno 1"},
		{`"SCMP_ACT_ERRNO", "errnoRet": 4094`, "errno 4094"},
		{`"SCMP_ACT_ERRNO", "errnoRet": 0`, "= 0"},
		{`"SCMP_ACT_TRACE"`, "errno 38"},  // there is no tracer
		{`"SCMP_ACT_NOTIFY"`, "errno 38"}, // nor a listener
		{`"SCMP_ACT_LOG"`, "= 65534"},
	} {
		p := mustParse(t, `{"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"name": "getuid", "action": `+tt.action+`}]}`)
		want := tt.want
		if os.Geteuid() != 0 && want == "= 65534" {
			want = fmt.Sprintf("= %d", os.Getuid())
		}
		nr, _ := numberOn(hostArch(t), "getuid")
		if got := try.call(t, mustCompile(t, p), "native", nr); got != want {
			t.Errorf("%s: %s, want %s", tt.action, got, want)
		}
	}
}

// TestDefaultOnX86 is of the calls that only x86_64 has.
func TestDefaultOnX86(t *testing.T) {
	if runtime.GOARCH != "amd64" {
		t.Skip("only x86_64 has open and arch_prctl")
	}
	try, program := newTryer(t), mustCompile(t, marked(Default()))
	const open, archPrctl, setrlimit = 2, 158, 160
	for _, tt := range []struct {
		name string
		nr   int32
		args []uint64
		want string
	}{
		{"open", open, []uint64{0, syscall.O_RDONLY | syscall.O_DIRECTORY}, "errno 14"}, // EFAULT, from the kernel
		{"open O_DIRECT", open, []uint64{0, upper | syscall.O_DIRECT}, "errno 1022"},
		{"ARCH_SET_FS above user space", archPrctl, []uint64{0x1002, 1 << 63}, "errno 1"}, // EPERM, from the kernel
		{"ARCH_REQ_XCOMP_PERM", archPrctl, []uint64{0x1023, 18}, "errno 1038"},
		{"ARCH_ENABLE_TAGGED_ADDR", archPrctl, []uint64{upper | 0x4002, 6}, "errno 1038"},
		{"ARCH_SET_GS", archPrctl, []uint64{0x1001, 0}, "errno 1038"},
		{"ARCH_CET_STATUS", archPrctl, []uint64{0x3001, 0}, "errno 22"}, // EINVAL, from the kernel
		{"setrlimit of core files", setrlimit, []uint64{4, 0x7000_0000_0000}, "= 0"},
	} {
		if got := try.call(t, program, "native", tt.nr, tt.args...); got != tt.want {
			t.Errorf("%s%#x: %s, want %s", tt.name, tt.args, got, tt.want)
		}
	}
}
