package nsjail

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// What sockets take, on v2, is part of the memory that memory.max bounds, but for connections that nobody has accepted yet: the kernel makes those
// where it does not know for whom. On v1 nothing is but the sockets themselves: their buffers are counted apart, and only where a limit is
// written; what would be more waits, or is dropped, as on a network that is full.
const (
	socketLimit = "memory.kmem.tcp.limit_in_bytes" // whatever its name says, of UDP too
	socketUsage = "memory.kmem.tcp.usage_in_bytes"
	socketMax   = 16 << 20 // bytes for one sandbox, beside its memory

	// The kernel lets each socket have one packet each way in spite of the limit, so that all get on, and with thousands of them that is many
	// times as much. No event tells of it, nor of connections that nobody accepts, so it is looked for.
	socketKill = 2 * socketMax
	socketLook = 50 * time.Millisecond // at the rate of two cores, 100 MB are taken in that time

	// connectionBytes is less than what any kernel needs for a TCP socket. So many as fill the memory limit can't be had otherwise.
	connectionBytes = 2048
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

// socketChecks ticks when it is time for checkSockets.
func (sb *Sandbox) socketChecks() *time.Ticker {
	t := time.NewTicker(socketLook)
	if !sb.cfg.Loopback {
		t.Stop()
	}
	return t
}

// checkSockets says what is too much of what the sandbox has in sockets, if anything.
func (sb *Sandbox) checkSockets(p Process) (Evidence, bool) {
	if n, most := sb.connections(), p.Resources.MemoryMax/connectionBytes; n > most {
		return Evidence{"sockstat TCP inuse", n, most, "sockets"}, true
	}
	if sb.cg.at.v2() {
		return Evidence{}, false
	}
	n, err := readValue(sb.cg.at.memory, socketUsage, "") // a kernel without the limit has no such file
	return Evidence{socketUsage, n, socketKill, "bytes"}, err == nil && n > socketKill
}

// connections is how many TCP sockets there are in the sandbox's network, accepted or not; 0 if sandbox-init is gone.
func (sb *Sandbox) connections() (all int64) {
	for file, format := range map[string]string{"sockstat": "TCP: inuse %d", "sockstat6": "TCP6: inuse %d"} {
		text, err := readFile(fmt.Sprintf("/proc/%d/net", sb.pid), file)
		if err != nil {
			continue // no IPv6 in this kernel
		}
		for line := range strings.Lines(text) {
			var n int64
			if _, err := fmt.Sscanf(line, format, &n); err == nil {
				all += n
			}
		}
	}
	return all
}
