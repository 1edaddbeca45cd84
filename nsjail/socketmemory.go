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
	socketLook = 20 * time.Millisecond // at the rate of two cores, 40 MB are taken in that time
	// listRest is how many times as long as it took to make the lists of connections the next time waits at least: it is on nobody's bill.
	listRest = 9

	// connectionBytes is less than what any kernel needs for a TCP socket. So many as fill the memory limit can't be had otherwise.
	connectionBytes = 2048

	// socketsMost bounds TCP and UDP sockets together: each may hold a queue that is charged to nobody (errors; data for a connection that nobody
	// has accepted), closed ones count among the host's orphans (tcp_max_orphans), and a broadcast costs by their number.
	socketsMost = 4096
	// orphansMost bounds connections that no process has, accepted by none yet or closed with data that nobody reads. It is looked for them when the
	// host has a quarter of all that it may have as orphans: at tcp_max_orphans the kernel drops those of everybody (tcp(7)).
	orphansMost = 256
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

// socketLooks looks 50 times a second at what a sandbox has in sockets.
type socketLooks struct {
	*time.Ticker
	sb     *Sandbox
	opened bool
	lists  netLists  // opened by the first look: most programs end before it
	rest   time.Time // until which no list of connections is made
}

// lookAtSockets begins, where the sandbox has a loopback; Close must follow.
func (sb *Sandbox) lookAtSockets() *socketLooks {
	l := &socketLooks{Ticker: time.NewTicker(socketLook), sb: sb}
	if !sb.cfg.Loopback {
		l.Stop()
	}
	return l
}

func (l *socketLooks) Close() {
	l.Stop()
	if l.opened {
		l.lists.Close()
	}
}

// look says what is too much of what the sandbox has in sockets, if anything. Of most programs it reads two lists of a few lines.
func (l *socketLooks) look(p Process) (e Evidence, over bool, err error) {
	if !l.opened {
		if l.lists, err = openNetLists(l.sb.pid); err != nil {
			l.lists.Close()
			if !l.sb.Alive() { // its end will be reported
				err = nil
			}
			return e, false, err
		}
		l.opened = true
	}
	n := l.lists.count()
	if n.none() {
		return e, false, nil
	}
	e, over = l.excess(p, n)
	return e, over, nil
}

func (l *socketLooks) excess(p Process, n sockets) (Evidence, bool) {
	if most := min(p.Resources.MemoryMax/connectionBytes, socketsMost); n.tcp+n.udp > most {
		return Evidence{"sockstat inuse", n.tcp + n.udp, most, "sockets"}, true
	}
	if n.used > 0 {
		if rows, bytes := netlinkQueued(readAgain(l.lists.netlink)); rows > netlinkCount || bytes > netlinkMost {
			return Evidence{"netlink Rmem", bytes, netlinkMost, "bytes"}, true
		}
	}
	if e, over := l.queues(p, n); over || l.sb.cg.at.v2() {
		return e, over
	}
	used, err := readValue(l.sb.cg.at.memory, socketUsage, "") // a kernel without the limit has no such file
	return Evidence{socketUsage, used, socketKill, "bytes"}, err == nil && used > socketKill
}

// queues says what waits to be read, if it is too much. The lists are as long as a program has sockets, and before Linux 6.1 the kernel looks
// through the host's table of connections for one.
func (l *socketLooks) queues(p Process, n sockets) (Evidence, bool) {
	started := time.Now()
	if started.Before(l.rest) {
		return Evidence{}, false
	}
	defer func() { l.rest = time.Now().Add(listRest * time.Since(started)) }()
	net := fmt.Sprintf("/proc/%d/net/", l.sb.pid)
	if n.udp > 8 {
		most := int64(socketKill)
		if l.sb.cg.at.v2() { // where data is part of the memory, and only what came back as an error is not
			most = max(most, p.Resources.MemoryMax)
		}
		if _, bytes := queued(readList(net+"udp")+readList(net+"udp6"), false); bytes > most {
			return Evidence{"udp rx_queue", bytes, most, "bytes"}, true
		}
	}
	crowded := n.orphans > l.sb.spawner.host.orphans/4
	if n.tcp > 32 && (crowded || n.hostBytes > socketKill) {
		rows, bytes := queued(readList(net+"tcp")+readList(net+"tcp6"), true)
		switch {
		case bytes > socketKill:
			return Evidence{"tcp rx_queue", bytes, socketKill, "bytes"}, true
		case crowded && rows > orphansMost:
			return Evidence{"tcp without a process", rows, orphansMost, "sockets"}, true
		}
	}
	return Evidence{}, false
}
