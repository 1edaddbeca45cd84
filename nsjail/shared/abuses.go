// SPDX-License-Identifier: Apache-2.0

package shared

import "strconv"

// Abuse is one way to load something that the host has only once.
type Abuse struct {
	Name      string // "nested epoll", as in the C tables
	Processes int    // that do it at the same time
	Object    string // that the host has once
	Bound     string // what should prevent harm: where to look when there is some
}

// control uses CPU time and nothing else.
const control = "burn"

const (
	few  = 8
	some = 16 // that have children
	many = 60 // of the 128 that a job has unless it asks for more
)

// Abuses are all there are.
var Abuses = []Abuse{
	{"nested epoll", many, "epnested_mutex: one for all epolls that are in epolls", "no epoll of the daemon is watched by another (nsjail/poller.go); sysctl fs.epoll.max_user_watches"},
	{"watched output", many, "the daemon's time: each read wakes who waits for room", "openFiles, memoryBytes; sysctl fs.epoll.max_user_watches"},
	{"poll", many, "interrupts, which are off while waiters are woken", "openFiles, pidsMax"},
	{"timers at one moment", many, "interrupts, which are off while timers run out", "openFiles, memoryBytes"},
	{"POSIX timers", many, "the table of all POSIX timers", "RLIMIT_SIGPENDING"},
	{"short sleeps", many, "timer interrupts", "CPU rate"},
	{"futexes", many, "the table of all futexes between processes", "pidsMax, CPU rate"},

	{"direct reads", few, "the disk", "the policy must refuse O_DIRECT; a limit of the io controller"},
	{"direct reads by F_SETFL", few, "the disk", "the policy must refuse F_SETFL with O_DIRECT; a limit of the io controller"},
	{"uncached reads", few, "the disk", "the policy must refuse RWF_DONTCACHE; a limit of the io controller"},
	{"dropped cache", few, "the page cache of the images", "the policy must not do POSIX_FADV_DONTNEED; a limit of the io controller"},
	{"paged out cache", few, "the page cache of the images", "MADV_PAGEOUT spares pages of files that the caller can't write"},
	{"fsync", few, "the disk's cache and journal", "the policy must not do fsync on files that can't be written"},
	{"fdatasync", few, "the disk's cache and journal", "the policy must not do fdatasync on files that can't be written"},
	{"msync", few, "the disk's cache and journal", "the policy must not do msync with MS_SYNC"},
	{"sync_file_range", few, "the disk's queue", "the policy must not do sync_file_range"},
	{"syncfs", few, "the disk's cache and journal", "the policy must refuse sync and syncfs"},
	{"byte-range locks", few, "the list of a file's locks, and memory that no cgroup is charged for", "the pace at which the policy's listener lets locks be taken"},
	{"renames", many, "rename_lock, which whoever looks for a path reads", "CPU rate"},
	{"names that are not there", many, "the cache of names", "memoryBytes: they are charged"},
	{"files made and removed", many, "lists of inodes", "memoryBytes, CPU rate"},
	{"lists of /proc", many, "the list of processes", "CPU rate"},
	{"mounts read", many, "namespace_sem, which whoever mounts writes", "CPU rate; /proc/self/mountinfo has few lines"},
	{"proc read", many, "locks behind files of /proc", "most of them are masked (daemon/plan/masked.go)"},
	{"proc of a process read", many, "tasklist_lock, the address space's lock", "CPU rate"},
	{"proc of the network read", many, "tables of all sockets", "CPU rate"},
	{"cgroup read", many, "the lock under which counters of all CPUs are gathered", "CPU rate; nothing but the job's own cgroup is in /sys"},
	{"statfs", few, "the counters of the images' file system", "CPU rate"},

	{"fork", some, "tasklist_lock, pidmap_lock", "pidsMax, CPU rate"},
	{"exec", few, "tasklist_lock, RCU", "CPU rate"},
	{"threads", some, "tasklist_lock, pidmap_lock", "pidsMax, CPU rate"},
	{"process groups", many, "tasklist_lock", "CPU rate"},
	{"signals to all", many, "tasklist_lock: the list of the host's processes is walked", "CPU rate"},
	{"priority of a user", many, "the list of the host's processes is walked", "CPU rate"},
	{"queued signals", many, "nothing but the user's count", "RLIMIT_SIGPENDING"},
	{"crashes", few, "the kernel's log and the handler of core dumps", "RLIMIT_CORE; sysctl debug.exception-trace=0"},
	{"CPU affinity", many, "the threads that move others between CPUs", "CPU rate"},
	{"scheduling policy", many, "run queues", "CPU rate"},
	{"yield", many, "run queues", "CPU rate"},
	{"membarrier", many, "RCU", "CPU rate"},
	{"membarrier expedited", many, "interrupts on all CPUs", "CPU rate"},
	{"mmap and munmap", many, "free pages", "memoryBytes, CPU rate"},
	{"TLB shootdown", few, "interrupts on other CPUs", "CPU rate"},
	{"collapsed pages", many, "work for each CPU (lru_add_drain_all)", "CPU rate; the policy must refuse MADV_COLLAPSE"},
	{"merged pages", few, "ksmd, where KSM is on", "the policy must refuse MADV_MERGEABLE"},
	{"memfd", many, "lists of inodes", "memoryBytes, CPU rate"},
	{"memory made and freed", few, "lists of pages", "memoryBytes, CPU rate"},
	{"SysV shared memory", many, "lists of inodes", "the ipc namespace, memoryBytes"},
	{"SysV semaphores", many, "RCU", "the ipc namespace, memoryBytes"},
	{"inotify", few, "the marks on the images' inodes", "the policy must refuse inotify, or user.max_inotify_watches bound it"},
	{"keyrings", few, "the keys of a user", "the policy must refuse keyctl"},
	{"refused calls", many, "the daemon's time: it answers them", "the pace at which it does (nsjail/denied.go)"},
	{"Landlock", many, "the host's audit log, where auditing is on", "CPU rate"},
	{"terminals", few, "tty_mutex", "16 terminals a job, CPU rate"},
	{"random bytes", many, "the generator's lock", "CPU rate"},

	{"descriptors in flight", few, "unix_gc_lock, and a thread of the kernel that nobody is billed for", "openFiles bounds what is in flight"},
	{"netlink", many, "rtnl_mutex, which whoever makes a network namespace takes", "CPU rate; a job has one interface"},
	{"connections", few, "the tables of all connections", "1,024 closed ones a job (tcp_max_tw_buckets)"},
	{"packets", few, "the queue of packets that each CPU has once", "CPU rate"},
	{"sockets", many, "lists of inodes, RCU", "CPU rate"},
	{"pipes", many, "free pages", "memoryBytes; sysctl fs.pipe-user-pages-soft"},
}

// args returns the arguments with which this binary runs an abuse in a sandbox; see escape.Args.
func args(program, name string, processes int) []string {
	return []string{program, "sandbox-abuse", name, strconv.Itoa(processes)}
}

// Nothing returns the arguments with which it ends at once, to time a start.
func Nothing(program string) []string { return args(program, "nothing", 0) }
