// SPDX-License-Identifier: Apache-2.0

package nsjail

import (
	"fmt"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// sockets are how many there are in a network namespace, accepted or not.
type sockets struct {
	used      int64 // by processes, of any family
	tcp, udp  int64
	hostBytes int64 // that TCP holds, for the whole host
	orphans   int64 // connections that are closed and not done with, of the whole host
}

// none reports whether there is no socket in which something could wait.
func (s sockets) none() bool { return s.used == 0 && s.tcp == 0 && s.udp == 0 }

// netLists are lists of a network namespace, kept open: opening them below /proc/PID/net costs many times what reading does. They are
// descriptors: an os.File would be added to the runtime's epoll.
type netLists struct {
	sockstat, sockstat6, netlink int // -1 where there is none
}

// openNetLists opens those of the process pid, which must be alive. A kernel without IPv6 has no sockstat6.
func openNetLists(pid int) (netLists, error) {
	dir := fmt.Sprintf("/proc/%d/net/", pid)
	open := func(name string) (int, error) {
		fd, err := unix.Open(dir+name, unix.O_RDONLY|unix.O_CLOEXEC, 0)
		if err != nil {
			return -1, &os.PathError{Op: "open", Path: dir + name, Err: err}
		}
		return fd, nil
	}
	var l netLists
	var err error
	l.sockstat, err = open("sockstat")
	l.sockstat6, _ = open("sockstat6")
	l.netlink, _ = open("netlink")
	return l, err
}

// Close lets go of the namespace, which would live on as long.
func (l netLists) Close() {
	for _, fd := range []int{l.sockstat, l.sockstat6, l.netlink} {
		if fd >= 0 {
			unix.Close(fd)
		}
	}
}

// count reads sockstat and sockstat6, of which the kernel gives some hundred bytes, all at once.
func (l netLists) count() (s sockets) {
	var b [1024]byte
	for _, fd := range []int{l.sockstat, l.sockstat6} {
		if n, err := unix.Pread(fd, b[:], 0); err == nil {
			s.add(string(b[:n]))
		}
	}
	return s
}

// readAgain reads a list of any length from its beginning; "" where there is none.
func readAgain(fd int) string {
	var b []byte
	for chunk := make([]byte, 4096); fd >= 0; {
		n, err := unix.Pread(fd, chunk, int64(len(b)))
		if err == unix.EINTR {
			continue
		}
		if n <= 0 {
			break
		}
		b = append(b, chunk[:n]...)
	}
	return string(b)
}

// add adds the counts in a list like sockstat or sockstat6.
func (s *sockets) add(list string) {
	for line := range strings.Lines(list) {
		family, counts, _ := strings.Cut(line, ":")
		switch family {
		case "sockets":
			s.used = numberAfter(counts, "used")
		case "TCP", "TCP6":
			s.tcp += numberAfter(counts, "inuse")
			s.orphans = max(s.orphans, numberAfter(counts, "orphan"))
			s.hostBytes = max(s.hostBytes, numberAfter(counts, "mem")*int64(os.Getpagesize()))
		case "UDP", "UDP6", "UDPLITE", "UDPLITE6":
			s.udp += numberAfter(counts, "inuse")
		}
	}
}

// numberAfter is the number behind name in "inuse 5 orphan 1", or 0.
func numberAfter(counts, name string) int64 {
	found := false
	for word := range strings.FieldsSeq(counts) {
		if found {
			n, _ := strconv.ParseInt(word, 10, 64)
			return n
		}
		found = word == name
	}
	return 0
}

// netlinkQueued is how many sockets are in the list, the kernel's own too, and how many bytes wait in them to be read.
func netlinkQueued(list string) (rows, bytes int64) {
	for line := range strings.Lines(list) {
		words := strings.Fields(line)
		if len(words) < 10 {
			continue
		}
		if n, err := strconv.ParseInt(words[4], 10, 64); err == nil { // else it is the head of the list
			rows, bytes = rows+1, bytes+n
		}
	}
	return rows, bytes
}

// queued is how many sockets are in a list as /proc/net/tcp and udp are, or only those that no process has, and how many bytes wait in them
// to be read: the fifth column is TX:RX, the tenth the inode.
func queued(list string, onlyOrphans bool) (rows, bytes int64) {
	for line := range strings.Lines(list) {
		words := strings.Fields(line)
		if len(words) < 10 || onlyOrphans && words[9] != "0" {
			continue
		}
		if _, rx, ok := strings.Cut(words[4], ":"); ok {
			n, _ := strconv.ParseInt(rx, 16, 64)
			rows, bytes = rows+1, bytes+n
		}
	}
	return rows, bytes
}

// readList reads a list of any length, "" where there is none.
func readList(path string) string {
	b, _ := os.ReadFile(path)
	return string(b)
}
