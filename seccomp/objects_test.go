// SPDX-License-Identifier: Apache-2.0

package seccomp

import (
	"os"
	"strings"
	"testing"
)

// objects say of each call that the policy allows which objects it reaches that the host has once, that is, that are in no namespace and
// that no cgroup divides. What bounds each of them is in SECURITY.md, under the same name. A call that is refused by now may stay here.
var objects = map[string]string{
	"none": `getcpu getegid geteuid getgid getgroups getpeername getpid getppid getresgid getresuid getrlimit getrusage getsockname
		getsockopt gettid gettimeofday getuid clock_getres clock_gettime time times uname sysinfo umask capget capset personality prctl
		arch_prctl brk close_range rseq restart_syscall rt_sigaction rt_sigpending rt_sigprocmask rt_sigreturn rt_sigsuspend
		rt_sigtimedwait sigaltstack pause set_tid_address set_robust_list get_robust_list setfsgid setfsuid setgid setgroups setregid
		setresgid setresuid setreuid setuid setrlimit prlimit64 getitimer timer_getoverrun timer_gettime timerfd_gettime pkey_alloc
		pkey_free uretprobe mincore map_shadow_stack mseal mlock mlock2 mlockall munlock munlockall shutdown`,
	"the disk": `open openat openat2 creat read readv pread64 preadv preadv2 sendfile copy_file_range readahead fadvise64 fsync fdatasync
		sync_file_range msync madvise mmap execve execveat`,
	"names of files": `access faccessat faccessat2 stat lstat fstat newfstatat statx statfs fstatfs getdents getdents64 getcwd chdir fchdir
		mkdir mkdirat rmdir rename renameat renameat2 link linkat unlink unlinkat symlink symlinkat readlink readlinkat chmod fchmod fchmodat
		fchmodat2 chown fchown fchownat lchown utime utimes futimesat utimensat truncate ftruncate fallocate mknod mknodat lseek write writev
		pwrite64 pwritev pwritev2 getxattr lgetxattr fgetxattr getxattrat listxattr llistxattr flistxattr listxattrat removexattr
		lremovexattr fremovexattr removexattrat`,
	"locks on files": `fcntl flock`,
	"open files":     `open openat creat dup dup2 dup3 close pidfd_open memfd_create socket socketpair pipe pipe2 accept accept4`,
	"waiters":        `poll ppoll select pselect6 epoll_create epoll_create1 epoll_ctl epoll_wait epoll_pwait epoll_pwait2 eventfd eventfd2 signalfd signalfd4`,
	"timers": `alarm setitimer nanosleep clock_nanosleep timer_create timer_delete timer_settime timerfd_create timerfd_settime
		sched_rr_get_interval`,
	"futexes": `futex futex_waitv futex_wait futex_wake futex_requeue`,
	"the list of processes": `fork vfork clone execve execveat exit exit_group wait4 waitid kill tkill tgkill rt_sigqueueinfo rt_tgsigqueueinfo
		pidfd_send_signal getpgid getpgrp setpgid getsid setsid getpriority setpriority ioprio_get`,
	"CPUs": `sched_yield sched_getaffinity sched_setaffinity sched_getparam sched_setparam sched_getscheduler sched_setscheduler sched_getattr
		sched_setattr sched_get_priority_max sched_get_priority_min membarrier`,
	"free pages":   `mmap munmap mremap mprotect pkey_mprotect madvise memfd_create shmat shmdt`,
	"pipes":        `pipe pipe2 splice tee`,
	"IPC":          `shmget shmctl shmat shmdt semget semop semtimedop semctl msgget msgsnd msgrcv msgctl mq_open mq_unlink mq_timedsend mq_timedreceive mq_notify mq_getsetattr`,
	"sockets":      `socket socketpair bind connect listen accept accept4 sendto recvfrom sendmsg recvmsg sendmmsg recvmmsg setsockopt`,
	"terminals":    `ioctl`,
	"the logs":     `landlock_create_ruleset landlock_add_rule landlock_restrict_self kill tkill tgkill`,
	"random bytes": `getrandom`,
}

// TestEveryCallHasItsObjects: whoever lets jobs make another system call says what of the host it reaches, and what bounds that.
func TestEveryCallHasItsObjects(t *testing.T) {
	security, err := os.ReadFile("../SECURITY.md")
	if err != nil {
		t.Fatal(err)
	}
	classed := map[string]bool{}
	for object, calls := range objects {
		if object != "none" && !strings.Contains(string(security), "\n| "+object+" | ") {
			t.Errorf("SECURITY.md has no row for %q: what bounds it?", object)
		}
		for call := range strings.FieldsSeq(calls) {
			if err := checkName(call); err != nil {
				t.Errorf("%s: %v", object, err)
			}
			classed[call] = true
		}
	}
	allowed := 0
	for _, s := range Default().Syscalls {
		if s.Action != ActAllow {
			continue
		}
		for _, call := range s.names() {
			if allowed++; !classed[call] {
				t.Errorf("default.json allows %s: which object of the host does it reach, and what bounds that? Name it in objects, and the object in SECURITY.md", call)
			}
		}
	}
	if allowed < 200 {
		t.Errorf("the policy allows %d calls: that can't be", allowed)
	}
}
