// SPDX-License-Identifier: Apache-2.0

package supervise

import (
	"fmt"
	"os"
	"strconv"
)

// The services' scores: once no job is left to kill, the kernel kills first what is restored soonest. The daemon takes all sandboxes with
// it.
const (
	oomDaemon = -900
	oomRedis  = -800
	oomWorker = -700
	oomAPI    = -600
)

// ProtectDaemon has the kernel kill the calling process, a daemon, only after all jobs when the host runs out of memory. It needs
// CAP_SYS_RESOURCE.
func ProtectDaemon() error { return setOOMScore(os.Getpid(), oomDaemon) }

// setOOMScore sets how readily the kernel kills a process and its future children when the host is out of memory: from -1000, never, to
// 1000, which jobs have; see proc_pid_oom_score_adj(5).
func setOOMScore(pid, score int) error {
	return os.WriteFile(fmt.Sprintf("/proc/%d/oom_score_adj", pid), []byte(strconv.Itoa(score)), 0)
}
