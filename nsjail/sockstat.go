package nsjail

import (
	"os"
	"strconv"
	"strings"
)

// sockets are how many there are in a network namespace, accepted or not.
type sockets struct {
	tcp, udp  int64
	hostBytes int64 // that TCP holds, for the whole host
}

// countSockets reads sockstat and sockstat6 below net, a directory like /proc/PID/net/. What can't be read is 0: sandbox-init is gone, or
// the kernel has no IPv6.
func countSockets(net string) (s sockets) {
	for _, file := range []string{"sockstat", "sockstat6"} {
		text, _ := readFile(net, file)
		for line := range strings.Lines(text) {
			words := strings.Fields(line)
			if len(words) < 3 {
				continue
			}
			n, _ := strconv.ParseInt(words[2], 10, 64) // of "inuse N"
			switch words[0] {
			case "TCP:", "TCP6:":
				s.tcp += n
				s.hostBytes = max(s.hostBytes, after(words, "mem")*int64(os.Getpagesize()))
			case "UDP:", "UDP6:", "UDPLITE:", "UDPLITE6:":
				s.udp += n
			}
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

// received is how many bytes wait to be read in the sockets of a list as /proc/net/tcp and udp are, or only in those that nobody has: the
// fifth column is TX:RX, the tenth the inode.
func received(list string, onlyNobodys bool) (bytes int64) {
	for line := range strings.Lines(list) {
		words := strings.Fields(line)
		if len(words) < 10 || onlyNobodys && words[9] != "0" {
			continue
		}
		if _, rx, ok := strings.Cut(words[4], ":"); ok {
			n, _ := strconv.ParseInt(rx, 16, 64)
			bytes += n
		}
	}
	return bytes
}

// readList reads a list of any length, "" where there is none.
func readList(path string) string {
	b, _ := os.ReadFile(path)
	return string(b)
}
