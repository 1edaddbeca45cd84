// SPDX-License-Identifier: Apache-2.0

package nsjail

import (
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// On v2 the kernel kills a whole cgroup that is out of memory (memory.oom.group). On v1 it kills one process, and the rest
// would go on; but it says so through an eventfd, see memory.oom_control in the kernel's cgroup-v1/memory.rst.

// announceOOM asks the kernel for an event when the cgroup is out of memory, on v1.
func (cg *cgroup) announceOOM() error {
	if cg.at.v2() {
		return nil
	}
	event, err := unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK)
	if err != nil {
		return os.NewSyscallError("eventfd", err)
	}
	cg.oom = os.NewFile(uintptr(event), "memory.oom_control")
	return withFile(cg.at.memory+"/memory.oom_control", unix.O_RDONLY, func(fd int) error {
		return writeFile(cg.at.memory, "cgroup.event_control", fmt.Sprintf("%d %d", event, fd))
	})
}

// oomEvents returns a channel that gets a value when the cgroup is out of memory. stop ends the goroutine that sends it.
func (cg *cgroup) oomEvents() (events <-chan struct{}, stop func()) {
	if cg == nil || cg.oom == nil {
		return nil, func() {}
	}
	to, done := make(chan struct{}, 1), make(chan struct{})
	go func() {
		defer close(done)
		var b [8]byte
		for {
			if _, err := cg.oom.Read(b[:]); err != nil {
				return // stop's deadline
			}
			if cg.nearLimit() {
				to <- struct{}{}
				return
			}
		}
	}()
	return to, func() {
		_ = cg.oom.SetReadDeadline(time.Unix(1, 0))
		<-done
		_ = cg.oom.SetReadDeadline(time.Time{})
	}
}

// nearLimit reports whether the cgroup has come to its own memory limit. A cgroup above that is out of memory is announced to
// every one below it; one that never came near its own limit has nothing to do with that.
func (cg *cgroup) nearLimit() bool {
	const largest = 64 << 10 // more than any charge whose refusal is an OOM
	peak, err := readValue(cg.at.memory, "memory.max_usage_in_bytes", "")
	return err == nil && peak >= cg.written.MemoryMax+initMemory-largest
}

// killedByOOM reports whether the kernel has killed for memory since before was read.
func (sb *Sandbox) killedByOOM(before counters) bool {
	after, err := sb.account.read()
	return err == nil && after.oomKills > before.oomKills
}
