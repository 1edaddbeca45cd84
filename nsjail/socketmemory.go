package nsjail

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// On v2 the buffers of TCP and UDP sockets are part of the memory that memory.max bounds. On v1 they are counted apart, and only
// where a limit is written; what would be more waits, or is dropped, as on a network that is full.
const (
	socketLimit = "memory.kmem.tcp.limit_in_bytes" // whatever its name says, of UDP too
	socketUsage = "memory.kmem.tcp.usage_in_bytes"
	socketMax   = 16 << 20 // bytes for one sandbox, beside its memory

	// The kernel lets each socket have one packet each way in spite of the limit, so that all get on, and with thousands of them that is many
	// times as much. No event tells of it, so it is looked for.
	socketKill = 2 * socketMax
	socketLook = 50 * time.Millisecond // at the rate of two cores, 100 MB are taken in that time
)

// limitSockets bounds, on v1, the buffers of all sandboxes together, so that they never bring the host to where it holds everybody's
// connections back: that begins at the first number of tcp_mem (tcp(7)). The limit of the parent also keeps the kernel's code for counting in
// place, which it otherwise patches in and out again with each sandbox.
func (c *Cgroups) limitSockets() error {
	if c.at.v2() {
		return nil
	}
	text, err := os.ReadFile("/proc/sys/net/ipv4/tcp_mem")
	if errors.Is(err, os.ErrNotExist) {
		return nil // a container's network namespace doesn't show it
	}
	var low int64
	if err == nil {
		_, err = fmt.Sscan(string(text), &low)
	}
	if err != nil {
		return fmt.Errorf("tcp_mem %q: %w", strings.TrimSpace(string(text)), err)
	}
	return writeSocketLimit(c.at.memory, max(socketMax, low*int64(os.Getpagesize())/2))
}

// writeSocketLimit sets the limit; a kernel that doesn't charge kernel memory has none.
func writeSocketLimit(dir string, bytes int64) error {
	err := writeFile(dir, socketLimit, fmt.Sprint(bytes))
	if err == nil || errors.Is(err, os.ErrNotExist) || errors.Is(err, unix.EOPNOTSUPP) {
		return nil
	}
	return fmt.Errorf("limit the memory of sockets: %w", err)
}

// socketMemory is how many bytes the sandbox has in buffers of sockets, on v1.
func (cg *cgroup) socketMemory() int64 {
	n, err := readValue(cg.at.memory, socketUsage, "")
	if err != nil {
		return 0 // a kernel without the limit
	}
	return n
}

// socketChecks ticks when it is time to look at socketMemory; never where the kernel bounds it.
func (sb *Sandbox) socketChecks() *time.Ticker {
	t := time.NewTicker(socketLook)
	if !sb.cfg.Loopback || sb.cg.at.v2() {
		t.Stop()
	}
	return t
}
