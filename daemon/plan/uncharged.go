// SPDX-License-Identifier: Apache-2.0

package plan

import "github.com/ccee-dev/ccee/job"

// A thread that waits in a system call uses kernel memory that is charged to no cgroup, as much as the call's arguments ask for: poll(2)
// two queue entries and a struct pollfd per descriptor, where RLIMIT_NOFILE bounds their number; sendmsg(2) its control messages, up to
// net.core.optmem_max (see nsjail), in a block of 32 KiB; readv(2) 16 KiB of struct iovec. With 1,024 threads and 4,096 descriptors that is
// 570 MB for a job of 64 MB. The kernel does not report how much it is, so the most that it can be is reserved in the budget.
const (
	pollBytes    = 2*64 + 8
	messageBytes = 32 << 10

	// The budget is four fifths of the machine: the remaining fifth has room for one seventh more of each job's memory. The default limits
	// need no more than that, so they reserve nothing here.
	spareShare = 7
)

// uncharged is how many bytes a job with these limits may take of the budget beyond its memory limit.
func uncharged(l job.Limits) int64 {
	return max(0, l.PidsMax*max(l.OpenFiles*pollBytes, messageBytes)-l.MemoryBytes/spareShare)
}
