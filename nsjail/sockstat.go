package nsjail

import (
	"fmt"
	"os"
	"strconv"
	"strings"
)

// sockets are how many there are in a network namespace, accepted or not.
type sockets struct {
	used      int64 // by processes, of any family
	tcp, udp  int64
	hostBytes int64 // that TCP holds, for the whole host
	orphans   int64 // connections that are closed and not done with, of the whole host
}

// none tells if there is not even one that something could wait in.
func (s sockets) none() bool { return s.used == 0 && s.tcp == 0 && s.udp == 0 }

// netLists are lists of a network namespace, kept open: to find them anew below /proc/PID/net costs a hundred times what reading does.
type netLists struct {
	sockstat, sockstat6, netlink *os.File // nil where there is none
}

// openNetLists opens those of the process pid, which must be alive. A kernel without IPv6 has no sockstat6.
func openNetLists(pid int) (netLists, error) {
	dir := fmt.Sprintf("/proc/%d/net/", pid)
	var l netLists
	var err error
	for name, file := range map[string]**os.File{"sockstat": &l.sockstat, "sockstat6": &l.sockstat6, "netlink": &l.netlink} {
		f, failed := os.Open(dir + name)
		if failed == nil {
			*file = f
		} else if name == "sockstat" {
			err = failed
		}
	}
	return l, err
}

// Close lets go of the namespace, which would live on as long.
func (l netLists) Close() {
	for _, f := range []*os.File{l.sockstat, l.sockstat6, l.netlink} {
		if f != nil {
			f.Close()
		}
	}
}

// count reads sockstat and sockstat6.
func (l netLists) count() sockets { return countSockets(again(l.sockstat) + again(l.sockstat6)) }

// again reads a list from its beginning; "" where there is none.
func again(f *os.File) string {
	var b []byte
	for chunk := make([]byte, 4096); f != nil; {
		n, err := f.ReadAt(chunk, int64(len(b)))
		b = append(b, chunk[:n]...)
		if err != nil { // io.EOF
			break
		}
	}
	return string(b)
}

// countSockets reads what is in sockstat and sockstat6.
func countSockets(lists string) (s sockets) {
	for line := range strings.Lines(lists) {
		words := strings.Fields(line)
		if len(words) < 3 {
			continue
		}
		n, _ := strconv.ParseInt(words[2], 10, 64) // of "inuse N"
		switch words[0] {
		case "sockets:":
			s.used = n
		case "TCP:", "TCP6:":
			s.tcp += n
			s.orphans = max(s.orphans, after(words, "orphan"))
			s.hostBytes = max(s.hostBytes, after(words, "mem")*int64(os.Getpagesize()))
		case "UDP:", "UDP6:", "UDPLITE:", "UDPLITE6:":
			s.udp += n
		}
	}
	return s
}

// after is the number behind name.
func after(words []string, name string) int64 {
	for i := range len(words) - 1 {
		if words[i] == name {
			n, _ := strconv.ParseInt(words[i+1], 10, 64)
			return n
		}
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

// queued is how many sockets are in a list as /proc/net/tcp and udp are, or only those that nobody has, and how many bytes wait in them to be
// read: the fifth column is TX:RX, the tenth the inode.
func queued(list string, onlyNobodys bool) (rows, bytes int64) {
	for line := range strings.Lines(list) {
		words := strings.Fields(line)
		if len(words) < 10 || onlyNobodys && words[9] != "0" {
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
