// SPDX-License-Identifier: Apache-2.0

package nsjail

import "time"

// Config describes a sandbox for its whole life, in the words of the OCI runtime specification and of the kernel.
type Config struct {
	// Root is the directory that becomes /, mounted read-only, nosuid, nodev. It must lie below one of the Spawner's
	// roots and hold the mount points: proc, dev, sys and those of Mounts.
	Root string
	// Hostname inside; see uts_namespaces(7).
	Hostname string
	// UIDMappings and GIDMappings must map the ids 0 and the Process's; see user_namespaces(7).
	UIDMappings, GIDMappings []IDMap
	// Mounts are the writable parts: fresh tmpfs each.
	Mounts []Tmpfs
	// MaskedPaths are covered by /dev/null or an empty directory; all of /proc is read-only anyway. Those that
	// don't exist are passed over, as the OCI runtime specification says.
	MaskedPaths []string
	// Resources are the limits during the set-up; Process.Resources replaces them.
	Resources Resources
	// Loopback gives the sandbox a network of its own that has a loopback and nothing else: TCP and UDP on 127.0.0.1 and ::1 work,
	// whatever the port, as far as the filter allows sockets. Else the loopback is down, and Landlock refuses TCP.
	Loopback bool
	cgroup   string // name of the sandbox's own
	// OpenDir, if set, is the directory inside whose descriptor Sandbox.Dir returns.
	OpenDir string
}

// Tmpfs is one fresh tmpfs; see tmpfs(5). Size and Inodes must be set: tmpfs's own defaults are half the machine.
type Tmpfs struct {
	Destination string // below the root, "tmp"
	Size        int64  // bytes
	Inodes      int64
	Mode        uint32 // of the root directory, 0o1777
	UID, GID    uint32 // inside ids
	Exec        bool   // else noexec
	Symlinks    bool   // else nosymfollow
}

// Resources are the cgroup's limits. The zero value is refused: a forgotten field must not open the box.
type Resources struct {
	MemoryMax     int64 // bytes; memory.max, with swap 0
	PidsMax       int64 // processes and threads of the job; pids.max
	CPUMillicores int64 // 1000 = one core; cpu.max

	// Idle gives it only CPU time that nobody else on the machine wants (cpu.idle, from Linux 5.15 on; before it, it has no effect). It is
	// for programs that nobody waits for; a program that has stopped itself goes on without it.
	Idle bool
}

// File is written before the program starts.
type File struct {
	Name string // relative to Process.Cwd
	Data []byte
	Mode uint32 // 0o644
	// Copy, if positive, is the size in bytes of the file of the same name beneath Process.Source: sandbox-init copies that, and there is
	// no Data. Its mode, and those of the directories above, must let anybody read it: the reader is root of another user namespace.
	Copy int64
}

// Process is one program run in a sandbox.
type Process struct {
	Args     []string // Args[0] is an absolute path inside
	Env      []string // NAME=value, all of it: nothing is inherited
	Cwd      string
	UID, GID uint32 // inside ids
	Umask    uint32
	Rlimits  []Rlimit
	Seccomp  []byte // BPF for seccomp(2): struct sock_filter[]; must not be empty
	// Decide answers the calls for which Seccomp returns SECCOMP_RET_USER_NOTIF; refused ones are counted in Result.Denied. It is
	// called from one goroutine. It must be set if there are any such calls, and execve must not be one of them.
	Decide    func(Syscall) Answer
	Files     []File
	Source    int // descriptor of the directory for Files with Copy: Dir of a sandbox whose processes are gone
	Resources Resources

	WallTime  time.Duration // then everything is killed
	CPUTime   time.Duration // of all processes together
	OutputMax int64         // bytes kept of each stream
	FloodMax  int64         // bytes of both streams together, then everything is killed

	// OutputTail is how many of the OutputMax bytes are the last ones. 0: all are the first ones.
	OutputTail int64
	// Interleave asks for Result.Order. The program then waits for each of its writes to be read.
	Interleave bool

	// Stdin is the content of the program's standard input, a pipe.
	Stdin []byte
	// MayPause lets the program stop itself (SIGSTOP), which ends the Run with the verdict Paused. The next Run continues it (SIGCONT): of
	// that Process Args, Env, Cwd, UID, GID and Umask don't matter, Seccomp and Decide must be the same, and Rlimits can only be
	// lower. Its standard input stays empty and open until a Run without MayPause.
	MayPause bool
	// OnStart, if set, is called when the program was executed.
	OnStart func()
	// OnOutput, if set, is called with each chunk that is kept, from one goroutine. Those of the tails come at the end.
	OnOutput func(c Chunk, b []byte)
}
