// SPDX-License-Identifier: Apache-2.0

package nsjail

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"
)

// counters are the kernel's counts of a cgroup since it was made.
type counters struct {
	memoryPeak   int64 // bytes
	oomKills     int64
	pidsRefused  int64 // forks refused by pids.max
	pidsPeak     int64 // 0 where the kernel doesn't count it
	user, system time.Duration
	sources      sources
}

// sources are what counters were read from, for the evidence.
type sources struct{ pids, cpu string }

// cgroupSources are those of a cgroup.
var cgroupSources = sources{pids: "pids.events max", cpu: "cpu.stat usage"}

// read reads all counters.
func (cg *cgroup) read() (counters, error) {
	peak, oom := "memory.peak", "memory.events"
	if !cg.at.v2() {
		peak, oom = "memory.max_usage_in_bytes", "memory.oom_control"
	}
	c := counters{sources: cgroupSources}
	var errs []error
	get := func(dir, file, key string) int64 {
		v, err := readValue(dir, file, key)
		if err != nil {
			errs = append(errs, err)
		}
		return v
	}
	if cg.peak == nil {
		c.memoryPeak = get(cg.at.memory, peak, "")
	} else if v, err := peakOf(cg.peak); err != nil {
		errs = append(errs, err)
	} else {
		c.memoryPeak = v
	}
	c.oomKills = get(cg.at.memory, oom, "oom_kill")
	c.pidsRefused = get(cg.at.pids, "pids.events", "max")
	var err error
	if c.user, c.system, err = cg.cpuTimes(); err != nil {
		errs = append(errs, err)
	}
	if len(errs) > 0 {
		return c, fmt.Errorf("read cgroup counters: %w", errors.Join(errs...))
	}
	if v, err := readValue(cg.at.pids, "pids.peak", ""); err == nil && v > 0 { // since Linux 6.1
		c.pidsPeak = v - 1
	}
	return c, nil
}

func (cg *cgroup) memoryCurrent() (int64, error) {
	file := "memory.current"
	if !cg.at.v2() {
		file = "memory.usage_in_bytes"
	}
	return readValue(cg.at.memory, file, "")
}

// resetPeak starts a new memory peak. Before Linux 6.12 the peak of a v2 cgroup can't be reset: it then is the highest of
// all steps so far.
func (cg *cgroup) resetPeak() error {
	if !cg.at.v2() {
		return writeFile(cg.at.memory, "memory.max_usage_in_bytes", "0")
	}
	if cg.peak == nil {
		f, err := os.OpenFile(cg.at.memory+"/memory.peak", os.O_RDWR, 0)
		if err != nil {
			return nil //nolint:nilerr // read-only there: an older kernel
		}
		cg.peak = f
	}
	if _, err := cg.peak.WriteString("reset"); err != nil {
		cg.peak.Close()
		cg.peak = nil
	}
	return nil
}

// peakOf reads memory.peak through the descriptor that it was reset by.
func peakOf(f *os.File) (int64, error) {
	var b [32]byte
	n, err := f.ReadAt(b[:], 0)
	if n == 0 {
		return 0, err
	}
	return strconv.ParseInt(strings.TrimSpace(string(b[:n])), 10, 64)
}

// CPUTime returns the CPU time that all sandboxes have used, those that are gone too, since the parent cgroup was made.
func (c *Cgroups) CPUTime() (time.Duration, error) {
	user, system, err := (&cgroup{at: c.at}).cpuTimes()
	return user + system, err
}

// cpuTimes reads the CPU time of all processes that are or were in the sandbox.
func (sb *Sandbox) cpuTimes() (user, system time.Duration, err error) {
	if sb.user != nil {
		c, err := sb.user.read()
		return c.user, c.system, err
	}
	return sb.cg.cpuTimes()
}

// cpuTimes reads the CPU time of all processes that are or were in the cgroup.
func (cg *cgroup) cpuTimes() (user, system time.Duration, err error) {
	if cg.at.unified == "" {
		u, err1 := readValue(cg.at.cpuacct, "cpuacct.usage_user", "")
		s, err2 := readValue(cg.at.cpuacct, "cpuacct.usage_sys", "")
		return time.Duration(u), time.Duration(s), errors.Join(err1, err2)
	}
	text, err := readFile(cg.at.unified, "cpu.stat")
	if err != nil {
		return 0, 0, err
	}
	u, err1 := value(text, "user_usec")
	s, err2 := value(text, "system_usec")
	return time.Duration(u) * time.Microsecond, time.Duration(s) * time.Microsecond, errors.Join(err1, err2)
}
