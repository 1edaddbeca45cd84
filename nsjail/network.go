// SPDX-License-Identifier: Apache-2.0

package nsjail

import (
	"slices"

	"golang.org/x/sys/unix"
)

// networkProgram moves the spawner into a new network namespace, which only the next sandbox inherits. That is a third of
// the cost of a clone, and it is spent when the sandbox before has ended. The namespace belongs to the host's user
// namespace, so not even a sandbox's root could bring its loopback up or down, or give it an address.
func networkProgram(loopback bool) []op {
	ops := []op{
		unshare(unix.CLONE_NEWNET, "network"),
		// The memory of a control message is charged to nobody while its sender waits. 20 KiB is what it was until Linux 6.7, of 128 since;
		// before it was each namespace's own it is not seen from here.
		{code: opProcWrite, arg: [4]uint64{1}, strs: []string{"/proc/sys/net/core/optmem_max", "20480"}, note: "if it is there"},
	}
	if !loopback {
		return append(ops, op{code: opWait})
	}
	return slices.Concat([]op{
		// A table of connections of its own, set in the namespace before: else each list of them (/proc/net/tcp) goes through the host's
		// table, for milliseconds. Linux 6.1.
		{code: opProcWrite, arg: [4]uint64{1}, strs: []string{"/proc/sys/net/ipv4/tcp_child_ehash_entries", "1024"}, note: "if it is there"},
	}, ops, []op{
		{code: opLoopback},
		// Any port, as in a container of Docker: a port below 1024 proves nothing where nobody else is. Within a network namespace
		// the file is that namespace's.
		{code: opProcWrite, strs: []string{"/proc/sys/net/ipv4/ip_unprivileged_port_start", "0"}},
		// What is left of a closed connection is charged to nobody, and by default there may be 131,072 of it for a minute.
		{code: opProcWrite, strs: []string{"/proc/sys/net/ipv4/tcp_max_tw_buckets", "1024"}},
		// What TCP learns of an address is in one table of the host's, which no cgroup is charged for: on the loopback there are 2^24
		// addresses.
		{code: opProcWrite, strs: []string{"/proc/sys/net/ipv4/tcp_no_metrics_save", "1"}},
		// A packet that is sent comes back into the queue of errors where its time is asked for (SO_TIMESTAMPING, by a control message
		// too), and is charged to nobody there. Older kernels have this file for the host alone, where it is not seen from here.
		{code: opProcWrite, arg: [4]uint64{1}, strs: []string{"/proc/sys/net/core/tstamp_allow_data", "0"}, note: "if it is there"},
		{code: opWait},
	})
}
