package daemon

import "github.com/ccee-dev/ccee/job"

// A thread that waits in a system call has kernel memory that no cgroup is charged for, as much as the call was given: poll(2) two entries of a
// queue and a struct pollfd for each descriptor, where RLIMIT_NOFILE bounds their number; sendmsg(2) its control messages, up to
// net.core.optmem_max (see nsjail), in a block of 32 KiB; readv(2) 16 KiB of struct iovec. With 1,024 threads and 4,096 descriptors that is 570 MB
// for a job of 64. Nothing tells how much it is, so what it can be is taken out of the budget.
const (
	pollBytes    = 2*64 + 8
	messageBytes = 32 << 10

	// The budget is four fifths of the machine. One seventh of a job's memory more is in the rest, and the defaults are within it.
	spared = 7
)

// beside is how many bytes a job with these limits may take of the budget beside its memory.
func beside(l job.Limits) int64 {
	return max(0, l.PidsMax*max(l.OpenFiles*pollBytes, messageBytes)-l.MemoryBytes/spared)
}
