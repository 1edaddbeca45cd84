// SPDX-License-Identifier: Apache-2.0

package slots

import (
	"bufio"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
)

// Cores is how many cores the daemon may use. Go counts those of the affinity mask and of the CPU quota of the process's own
// cgroup. In a container that cgroup is a leaf without a quota (see nsjail), and the container's quota is at the root.
func Cores() int { return min(runtime.GOMAXPROCS(0), quota("/sys/fs/cgroup/cpu.max")) }

// quota is the number of cores, rounded up, that cpu.max of cgroup v2 allows: "150000 100000" is 2.
func quota(file string) int {
	b, err := os.ReadFile(file)
	if err != nil {
		return math.MaxInt // the machine's root cgroup has no such file
	}
	var micros, period int64
	if n, _ := fmt.Sscan(string(b), &micros, &period); n < 2 || period <= 0 {
		return math.MaxInt // "max 100000"
	}
	return int(max(1, (micros+period-1)/period))
}

// MachineMemory is how many bytes of memory the daemon and its jobs can have: the machine's, or less where a cgroup
// above the daemon has a limit.
func MachineMemory() (int64, error) {
	total, err := memTotal("/proc/meminfo")
	if err != nil {
		return 0, err
	}
	limit, err := cgroupLimit("/proc/self/cgroup", "/sys/fs/cgroup", "memory", "memory.limit_in_bytes")
	if err != nil {
		return 0, err
	}
	return min(total, limit), nil
}

// servicePids is the part of a container's pids limit that is left to the services in it.
const servicePids = 256

// MachinePids is how many processes and threads jobs may have: half of the machine's maximum (proc_sys_kernel(5)), since other programs
// need some too; or less where a cgroup above the daemon has a limit, which only jobs and services share.
func MachinePids() (int64, error) {
	limit, err := cgroupLimit("/proc/self/cgroup", "/sys/fs/cgroup", "pids", "pids.max")
	if err != nil {
		return 0, err
	}
	machine := min(readLimit("/proc/sys/kernel/pid_max"), readLimit("/proc/sys/kernel/threads-max"))
	return min(machine/2, max(limit-servicePids, limit/2)), nil
}

// memTotal reads the first line of proc_meminfo(5): "MemTotal:       24680124 kB".
func memTotal(file string) (int64, error) {
	b, err := os.ReadFile(file)
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(b)) {
		if f := strings.Fields(line); len(f) == 3 && f[0] == "MemTotal:" {
			kb, err := strconv.ParseInt(f[1], 10, 64)
			if err != nil {
				return 0, fmt.Errorf("read %s: MemTotal is %q", file, f[1])
			}
			return kb << 10, nil
		}
	}
	return 0, fmt.Errorf("read %s: no line MemTotal", file)
}

// noLimit stands for "max" on cgroup v2 and for PAGE_COUNTER_MAX on v1.
const noLimit = int64(1) << 62

// cgroupLimit is the lowest limit of a controller on the way from the cgroup that self names (cgroups(7), /proc/pid/cgroup) up to the root.
// On v2 the file is controller.max, v1 is its name on v1. A level that can't be read sets no limit: a container seldom sees the levels
// above its own.
func cgroupLimit(self, mount, controller, v1 string) (int64, error) {
	f, err := os.Open(self)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	lowest := noLimit
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		parts := strings.SplitN(lines.Text(), ":", 3)
		if len(parts) != 3 {
			return 0, fmt.Errorf("read %s: a line is %q, want id:controllers:path", self, lines.Text())
		}
		dir, name := mount, controller+".max"
		switch {
		case parts[1] == controller:
			dir, name = filepath.Join(mount, controller), v1
		case parts[1] != "":
			continue
		}
		for path := filepath.Clean("/" + parts[2]); ; path = filepath.Dir(path) {
			lowest = min(lowest, readLimit(filepath.Join(dir, path, name)))
			if path == "/" {
				break
			}
		}
	}
	return lowest, lines.Err()
}

// readLimit reads one limit file; noLimit if it is missing or holds no number.
func readLimit(file string) int64 {
	b, err := os.ReadFile(file)
	if err != nil {
		return noLimit
	}
	n, err := strconv.ParseInt(strings.TrimSpace(string(b)), 10, 64)
	if err != nil {
		return noLimit
	}
	return n
}
