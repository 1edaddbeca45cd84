package daemon

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

// cores is how many cores the daemon may use. Go sets it by the affinity mask and by the CPU quota of the cgroup that the
// process is in; in a container that one is a leaf without a quota, and the container's is the root's (see nsjail).
func cores() int { return min(runtime.GOMAXPROCS(0), quota("/sys/fs/cgroup/cpu.max")) }

// quota is how many cores, rounded up, v2's cpu.max allows: "150000 100000" is 2.
func quota(file string) int {
	b, err := os.ReadFile(file)
	if err != nil {
		return math.MaxInt // the machine's root has none
	}
	var micros, period int64
	if n, _ := fmt.Sscan(string(b), &micros, &period); n < 2 || period <= 0 {
		return math.MaxInt // "max 100000"
	}
	return int(max(1, (micros+period-1)/period))
}

// MachineMemory is how many bytes of memory there are for the daemon and its jobs: the machine's, or less where a cgroup
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

// hostPids is what a container's limit of processes leaves to the services in it.
const hostPids = 256

// machinePids is how many processes and threads jobs may have: half of what the machine can have (proc_sys_kernel(5)), since the rest of it
// makes processes too; or less where a cgroup above the daemon has a limit, which is the services' and the jobs' alone.
func machinePids() (int64, error) {
	limit, err := cgroupLimit("/proc/self/cgroup", "/sys/fs/cgroup", "pids", "pids.max")
	if err != nil {
		return 0, err
	}
	machine := min(readLimit("/proc/sys/kernel/pid_max"), readLimit("/proc/sys/kernel/threads-max"))
	return min(machine/2, max(limit-hostPids, limit/2)), nil
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

// noLimit stands for "max" and for v1's PAGE_COUNTER_MAX.
const noLimit = int64(1) << 62

// cgroupLimit is the lowest limit of a controller from the cgroup that self (cgroups(7), /proc/pid/cgroup) names up to the root, on
// v2, where it is controller.max, and on v1. A level that can't be read sets no limit: a container seldom sees the levels above its own.
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
