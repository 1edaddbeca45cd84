/* SPDX-License-Identifier: Apache-2.0 */
/* Keyrings, io_uring, bpf, perf, userfaultfd, the machine and its clock, other ways to make a system call. */
#define _GNU_SOURCE
#include "probe.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/filter.h>
#include <linux/keyctl.h>
#include <linux/perf_event.h>
#include <linux/seccomp.h>
#include <stdint.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/timex.h>
#include <time.h>
#include <unistd.h>

/* Opens a device for reading without touching it. */
static void open_device(const struct probe *p) { must_fail(p, open((const char *)p->arg[0], O_RDONLY | O_NONBLOCK | O_CLOEXEC)); }

static void uring(const struct probe *p)
{
	uint32_t params[30] = {0};
	params[2] = (uint32_t)p->arg[0]; /* flags */
	must_fail(p, syscall(SYS_io_uring_setup, 1, params));
}

static void bpf_program(const struct probe *p)
{
	/* r0 = 0; exit: a socket filter that drops everything, and is attached to nothing. */
	static const struct bpf_insn code[] = {{.code = BPF_ALU64 | BPF_MOV | BPF_K}, {.code = BPF_JMP | BPF_EXIT}};
	union bpf_attr a;
	memset(&a, 0, sizeof a);
	a.prog_type = BPF_PROG_TYPE_SOCKET_FILTER;
	a.insn_cnt = 2;
	a.insns = (uint64_t)(uintptr_t)code;
	a.license = (uint64_t)(uintptr_t)"GPL";
	must_fail(p, syscall(SYS_bpf, BPF_PROG_LOAD, &a, sizeof a));
}

static void bpf_map(const struct probe *p)
{
	union bpf_attr a;
	memset(&a, 0, sizeof a);
	a.map_type = BPF_MAP_TYPE_ARRAY;
	a.key_size = a.value_size = 4;
	a.max_entries = 1;
	must_fail(p, syscall(SYS_bpf, BPF_MAP_CREATE, &a, sizeof a));
}

static void bpf_find(const struct probe *p)
{
	union bpf_attr a;
	memset(&a, 0, sizeof a);
	must_fail(p, syscall(SYS_bpf, BPF_PROG_GET_NEXT_ID, &a, sizeof a));
}

/* arg: type, config, pid, cpu */
static void perf(const struct probe *p)
{
	struct perf_event_attr a = {.type = (uint32_t)p->arg[0], .size = sizeof a, .config = (uint64_t)p->arg[1], .disabled = 1};
	must_fail(p, syscall(SYS_perf_event_open, &a, p->arg[2], p->arg[3], -1, 0));
}

static void filter_listener(const struct probe *p)
{
	struct sock_filter allow[] = {BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)};
	struct sock_fprog prog = {1, allow};
	must_fail(p, syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER, &prog));
}

/* Writes back what it read: nothing changes when it works. */
static void adjust_clock(const struct probe *p)
{
	struct timex t;
	memset(&t, 0, sizeof t);
	if (adjtimex(&t) < 0)
		refused(p, errno);
	t.modes = ADJ_MAXERROR;
	must_fail(p, adjtimex(&t));
}

static void alarm_clock(const struct probe *p)
{
	timer_t id;
	must_fail(p, timer_create((clockid_t)p->arg[0], NULL, &id));
}

#ifdef __x86_64__
/* The number of getpid by another calling convention: the filter of x86_64 numbers would not know it. */
static void x32_call(const struct probe *p) { must_fail(p, syscall(0x40000000 + p->arg[0])); }

static void i386_call(const struct probe *p)
{
	long r;
	__asm__ volatile("int $0x80" : "=a"(r) : "a"(p->arg[0]) : "memory", "r8", "r9", "r10", "r11");
	errno = r < 0 ? (int)-r : 0;
	must_fail(p, r < 0 ? -1 : r);
}
#endif

#define CALL(group, name, flags, ...) {group, name, flags, REFUSED, NULL, __VA_ARGS__}
#define DEVICE(path) {"machine", path, 0, NO_PATH " ENODEV", open_device, 0, {PTR(path)}}
#define KEY(name, flags, ...) CALL("keyrings", name, POLICY | (flags), SYS_keyctl, {__VA_ARGS__})
#define PERF(name, ...) {"perf", name, POLICY, REFUSED " EOPNOTSUPP", perf, 0, {__VA_ARGS__}}

const struct probe kernel_probes[] = {
	CALL("keyrings", "add_key", POLICY | FAST, SYS_add_key, {PTR("user"), PTR("probe"), PTR("x"), 1, KEY_SPEC_PROCESS_KEYRING}),
	CALL("keyrings", "request_key", POLICY, SYS_request_key, {PTR("user"), PTR("probe"), 0, KEY_SPEC_PROCESS_KEYRING}),
	KEY("session keyring", 0, KEYCTL_GET_KEYRING_ID, KEY_SPEC_SESSION_KEYRING, 0),
	KEY("user keyring", FAST, KEYCTL_GET_KEYRING_ID, KEY_SPEC_USER_KEYRING, 1),
	KEY("user session keyring", 0, KEYCTL_GET_KEYRING_ID, KEY_SPEC_USER_SESSION_KEYRING, 1),
	KEY("persistent keyring", 0, KEYCTL_GET_PERSISTENT, -1, KEY_SPEC_PROCESS_KEYRING),
	KEY("join another session", 0, KEYCTL_JOIN_SESSION_KEYRING, PTR("probe")),
	KEY("session of the parent", 0, KEYCTL_SESSION_TO_PARENT, 0),
	KEY("capabilities", 0, 31 /* KEYCTL_CAPABILITIES */, 0, 0),

	{"io_uring", "setup", POLICY | FAST, REFUSED, uring, 0, {0}},
	{"io_uring", "setup with a kernel thread", POLICY, REFUSED, uring, 0, {2}},
	CALL("io_uring", "enter", POLICY, SYS_io_uring_enter, {0, 0, 0, 0, 0}),
	CALL("io_uring", "register", POLICY, SYS_io_uring_register, {0, 0, 0, 0}),
	CALL("io_uring", "the older io_setup", POLICY, SYS_io_setup, {1, PTR(&(long){0})}),

	{"bpf", "load a program", POLICY | FAST, REFUSED, bpf_program, 0, {0}},
	{"bpf", "make a map", POLICY, REFUSED, bpf_map, 0, {0}},
	{"bpf", "find the host's programs", 0, REFUSED, bpf_find, 0, {0}},
	{"bpf", "a listening filter", POLICY, REFUSED, filter_listener, 0, {0}},
	{"bpf", "a filter by prctl", POLICY, REFUSED " EINVAL", NULL, SYS_prctl, {PR_SET_SECCOMP, 2, 0}},

	PERF("a whole CPU", PERF_TYPE_SOFTWARE, PERF_COUNT_SW_CPU_CLOCK, -1, 0),
	PERF("init", PERF_TYPE_SOFTWARE, PERF_COUNT_SW_TASK_CLOCK, 1, -1),
	PERF("the cycles", PERF_TYPE_HARDWARE, PERF_COUNT_HW_CPU_CYCLES, 0, -1),
	{"perf", "itself", POLICY | FAST, REFUSED, perf, 0, {PERF_TYPE_SOFTWARE, PERF_COUNT_SW_DUMMY, 0, -1}},

	CALL("userfaultfd", "of the kernel's faults", POLICY | FAST, SYS_userfaultfd, {0}),
	CALL("userfaultfd", "of its own faults", POLICY, SYS_userfaultfd, {1 /* UFFD_USER_MODE_ONLY */}),
	{"userfaultfd", "by its device", 0, NO_PATH, open_device, 0, {PTR("/dev/userfaultfd")}},

	/* Each with an argument that is wrong, which the kernel looks at after the capability. */
	CALL("machine", "init_module", FAST, SYS_init_module, {0, 0, PTR("")}),
	CALL("machine", "finit_module", 0, SYS_finit_module, {-1, PTR(""), 0}),
	CALL("machine", "delete_module", 0, SYS_delete_module, {PTR("no-such-module"), 0}),
	CALL("machine", "kexec_load", 0, SYS_kexec_load, {0, 1, 0, 0xffff}),
#ifdef SYS_kexec_file_load
	CALL("machine", "kexec_file_load", 0, SYS_kexec_file_load, {-1, -1, 0, 0, 0}),
#endif
	CALL("machine", "reboot", FAST, SYS_reboot, {1, 2, 3, 0}), /* wrong magic numbers */
	CALL("machine", "swapon", 0, SYS_swapon, {PTR("/no-such-file"), 0}),
	CALL("machine", "swapoff", 0, SYS_swapoff, {PTR("/no-such-file")}),
	CALL("machine", "acct", 0, SYS_acct, {PTR("/no-such-file")}),
	CALL("machine", "syslog", POLICY, SYS_syslog, {10 /* SYSLOG_ACTION_SIZE_BUFFER */, 0, 0}),
	CALL("machine", "syslog read", 0, SYS_syslog, {2, 0, 0}),
	CALL("machine", "vhangup", 0, SYS_vhangup, {0}),
	CALL("machine", "sync", POLICY, SYS_syncfs, {0}),
	DEVICE("/dev/mem"),
	DEVICE("/dev/kmem"),
	DEVICE("/dev/port"),
	DEVICE("/dev/kmsg"),
	DEVICE("/dev/vda"),
	DEVICE("/dev/sda"),
	DEVICE("/dev/nvme0n1"),
	DEVICE("/dev/kvm"),
	DEVICE("/dev/fuse"),
	DEVICE("/dev/net/tun"),
	DEVICE("/dev/vsock"),
	DEVICE("/dev/loop-control"),
	DEVICE("/dev/mapper/control"),
	DEVICE("/dev/console"),
	DEVICE("/dev/cpu/0/msr"),
	DEVICE("/dev/dri/card0"),

	CALL("time", "settimeofday", FAST, SYS_settimeofday, {0, 0}), /* sets nothing */
	CALL("time", "clock_settime", POLICY, SYS_clock_settime, {1 /* CLOCK_MONOTONIC, which nobody can set */, 0}),
	{"time", "adjtimex", 0, REFUSED, adjust_clock, 0, {0}},
	{"time", "wake the machine", 0, REFUSED " EOPNOTSUPP EINVAL", alarm_clock, 0, {8 /* CLOCK_REALTIME_ALARM */}},
	CALL("time", "wake the machine by timerfd", 0, SYS_timerfd_create, {9 /* CLOCK_BOOTTIME_ALARM */, 0}),
	{"time", "the clock's device", 0, NO_PATH, open_device, 0, {PTR("/dev/rtc0")}},
	{"time", "the clock's other device", 0, NO_PATH, open_device, 0, {PTR("/dev/ptp0")}},

	CALL("abi", "personality without randomisation", POLICY, SYS_personality, {0x0040000}),
	CALL("abi", "personality with executable data", POLICY, SYS_personality, {0x0400000}),
	CALL("abi", "personality of 32 bits", POLICY, SYS_personality, {8}),
	CALL("abi", "filters", POLICY, SYS_seccomp, {2 /* SECCOMP_GET_ACTION_AVAIL */, 0, PTR(&(uint32_t){SECCOMP_RET_ALLOW})}),
#ifdef __x86_64__
	{"abi", "x32", POLICY | FAST | FATAL, REFUSED, x32_call, 0, {SYS_getpid}},
	{"abi", "i386", POLICY | FAST | FATAL, REFUSED " SIGSEGV", i386_call, 0, {20}},
	CALL("abi", "iopl", 0, SYS_iopl, {3}),
	CALL("abi", "ioperm", 0, SYS_ioperm, {0x80, 1, 1}),
	CALL("abi", "modify_ldt", POLICY, SYS_modify_ldt, {0, PTR(&(long){0}), 8}),
	CALL("abi", "uselib", POLICY, SYS_uselib, {PTR("/no-such-file")}),
#endif
	{0},
};
