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

	// socketsMost bounds TCP and UDP sockets together: each may hold a queue that is charged to nobody (errors; data for a connection that nobody
	// has accepted), closed ones count among the host's orphans (tcp_max_orphans), and a broadcast costs by their number.
	socketsMost = 4096
	// netlinkMost bounds what waits in netlink sockets, answers that nobody reads: no kernel charges it to anybody. Lists of interfaces need
	// one socket for a moment.
	netlinkMost  = 4 << 20 // bytes
	netlinkCount = 96      // some 20 are the kernel's
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
	net := fmt.Sprintf("/proc/%d/net/", sb.pid)
	n := countSockets(net)
	if most := min(p.Resources.MemoryMax/connectionBytes, socketsMost); n.tcp+n.udp > most {
		return Evidence{"sockstat inuse", n.tcp + n.udp, most, "sockets"}, true
	}
	if rows, bytes := netlinkQueued(readList(net + "netlink")); rows > netlinkCount || bytes > netlinkMost {
		return Evidence{"netlink Rmem", bytes, netlinkMost, "bytes"}, true
	}
	// The lists below are long to make, since the kernel looks through tables of all of the host's sockets.
	if n.udp > 8 {
		most := int64(socketKill)
		if sb.cg.at.v2() { // where data is part of the memory, and only what came back as an error is not
			most = max(most, p.Resources.MemoryMax)
		}
		if bytes := received(readList(net+"udp"), false) + received(readList(net+"udp6"), false); bytes > most {
			return Evidence{"udp rx_queue", bytes, most, "bytes"}, true
		}
	}
	if n.tcp > 32 && n.hostBytes > socketKill {
		if bytes := received(readList(net+"tcp"), true) + received(readList(net+"tcp6"), true); bytes > socketKill {
			return Evidence{"tcp rx_queue", bytes, socketKill, "bytes"}, true
		}
	}
	if sb.cg.at.v2() {
		return Evidence{}, false
	}
	used, err := readValue(sb.cg.at.memory, socketUsage, "") // a kernel without the limit has no such file
	return Evidence{socketUsage, used, socketKill, "bytes"}, err == nil && used > socketKill
}
