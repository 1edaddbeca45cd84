// SPDX-License-Identifier: Apache-2.0

package nsjail

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// On v2 memory.max bounds the memory of sockets too, except for connections that nobody has accepted yet: the kernel makes those
// without knowing for whom. On v1 memory.max bounds only the sockets themselves: their buffers are counted apart, and only where a limit is
// written; data beyond it waits, or is dropped, as on a congested network.
const (
	socketLimit = "memory.kmem.tcp.limit_in_bytes" // whatever its name says, of UDP too
	socketUsage = "memory.kmem.tcp.usage_in_bytes"
	socketMax   = 16 << 20 // bytes for one sandbox, beside its memory

	// The kernel lets each socket have one packet each way in spite of the limit, so that all make progress, and with thousands of them
	// that is many times as much. There is no event for that, nor for connections that nobody accepts: the counts are read every
	// socketPause.
	socketKill  = 2 * socketMax
	socketPause = 20 * time.Millisecond // at the rate of two cores, 40 MB are taken in that time
	// listRest is how many times as long as it took to read the lists of connections the pause after it is at least: no cgroup is charged
	// for it.
	listRest = 9

	// connectionBytes is less than what any kernel needs for a TCP socket. So many as fill the memory limit can't be had otherwise.
	connectionBytes = 2048

	// socketsMost bounds TCP and UDP sockets together: each may hold a queue that is charged to nobody (errors; data for a connection that
	// nobody has accepted), closed ones count among the host's orphans (tcp_max_orphans), and a broadcast costs by their number.
	socketsMost = 4096
	// orphansMost bounds connections that no process has: not accepted yet, or closed with data that nobody reads. They are counted once
	// the host has a quarter of the orphans that it may have: at tcp_max_orphans the kernel drops those of everybody (tcp(7)).
	orphansMost = 256
	// netlinkMost bounds answers that wait in netlink sockets and nobody reads: no kernel charges them to anybody. A list of interfaces
	// needs one socket for a moment.
	netlinkMost  = 4 << 20 // bytes
	netlinkCount = 96      // some 20 are the kernel's
)

// limitSockets bounds, on v1, the buffers of all sandboxes together, so that they never make the host slow down everybody's
// connections: that begins at the first number of tcp_mem (tcp(7)). The limit of the parent also keeps the kernel's code for counting in
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

// socketWatch reads 50 times a second how much a sandbox holds in sockets.
type socketWatch struct {
	*time.Ticker
	sb     *Sandbox
	opened bool
	lists  netLists  // opened by the first check: most programs end before it
	rest   time.Time // until which no list of connections is read
}

// watchSockets starts the ticker, where the sandbox has a loopback; Close must follow.
func (sb *Sandbox) watchSockets() *socketWatch {
	w := &socketWatch{Ticker: time.NewTicker(socketPause), sb: sb}
	if !sb.cfg.Loopback {
		w.Stop()
	}
	return w
}

func (w *socketWatch) Close() {
	w.Stop()
	if w.opened {
		w.lists.Close()
	}
}

// check returns the evidence if the sandbox holds too much in sockets. For most programs it reads two lists of a few lines.
func (w *socketWatch) check(p Process) (e Evidence, over bool, err error) {
	if !w.opened {
		if w.lists, err = openNetLists(w.sb.pid); err != nil {
			w.lists.Close()
			if !w.sb.Alive() { // its end will be reported
				err = nil
			}
			return e, false, err
		}
		w.opened = true
	}
	n := w.lists.count()
	if n.none() {
		return e, false, nil
	}
	e, over = w.excess(p, n)
	return e, over, nil
}

func (w *socketWatch) excess(p Process, n sockets) (Evidence, bool) {
	if most := min(p.Resources.MemoryMax/connectionBytes, socketsMost); n.tcp+n.udp > most {
		return Evidence{"sockstat inuse", n.tcp + n.udp, most, "sockets"}, true
	}
	if n.used > 0 {
		if rows, bytes := netlinkQueued(readAgain(w.lists.netlink)); rows > netlinkCount || bytes > netlinkMost {
			return Evidence{"netlink Rmem", bytes, netlinkMost, "bytes"}, true
		}
	}
	if e, over := w.queues(p, n); over || w.sb.cg.at.v2() {
		return e, over
	}
	used, err := readValue(w.sb.cg.at.memory, socketUsage, "") // a kernel without the limit has no such file
	return Evidence{socketUsage, used, socketKill, "bytes"}, err == nil && used > socketKill
}

// queues returns the evidence if too much waits to be read. The lists have a line for each socket, and before Linux 6.1 the kernel goes
// through the host's table of connections for one.
func (w *socketWatch) queues(p Process, n sockets) (Evidence, bool) {
	started := time.Now()
	if started.Before(w.rest) {
		return Evidence{}, false
	}
	defer func() { w.rest = time.Now().Add(listRest * time.Since(started)) }()
	net := fmt.Sprintf("/proc/%d/net/", w.sb.pid)
	if n.udp > 8 {
		most := int64(socketKill)
		if w.sb.cg.at.v2() { // where data is part of the memory, and only what came back as an error is not
			most = max(most, p.Resources.MemoryMax)
		}
		if _, bytes := queued(readList(net+"udp")+readList(net+"udp6"), false); bytes > most {
			return Evidence{"udp rx_queue", bytes, most, "bytes"}, true
		}
	}
	crowded := n.orphans > w.sb.spawner.host.orphans/4
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
