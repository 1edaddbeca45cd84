// SPDX-License-Identifier: Apache-2.0

package nsjail

import (
	"errors"
	"fmt"
	"math"
	"os"
	"strconv"
	"strings"
	"time"
)

// processes is what the processes of one uid have, by proc(5).
type processes struct {
	list         []processMemory
	threads      int64
	user, system time.Duration // of those that live, and of those that they have reaped
}

// processMemory is the memory of one process in bytes: its anonymous pages and shared memory that are resident or swapped out. Pages of
// files on disk are none of it: they can be dropped, and belong to whoever else maps them.
type processMemory struct {
	pid   int
	bytes int64
}

// sampleProcesses reads the processes with that real uid. Who vanishes meanwhile is left out.
func sampleProcesses(uid int) (processes, error) {
	var s processes
	dir, err := os.Open("/proc")
	if err != nil {
		return s, err
	}
	defer dir.Close()
	names, err := dir.Readdirnames(-1)
	if err != nil {
		return s, err
	}
	for _, name := range names {
		pid, err := strconv.Atoi(name)
		if err != nil {
			continue
		}
		status, err := os.ReadFile("/proc/" + name + "/status")
		if err != nil || realUID(string(status)) != uid {
			continue
		}
		s.list = append(s.list, processMemory{pid, statusMemory(string(status))})
		s.threads += max(1, field(string(status), "Threads:"))
		if own, ownSystem, reaped, reapedSystem, err := cpuOf(pid); err == nil {
			s.user, s.system = s.user+own+reaped, s.system+ownSystem+reapedSystem
		}
	}
	return s, nil
}

// memory is the sum of all processes' memory. What several of them share is counted several times.
func (s *processes) memory() (bytes int64) {
	for _, p := range s.list {
		bytes += p.bytes
	}
	return bytes
}

// exact is the memory of all processes, where each page counts once. Only the user itself may read that, and not of a process that has
// made itself undumpable; such a one counts in full.
func (s *processes) exact(uid, gid int) (bytes int64) {
	_ = asOwner(uid, gid, func() error {
		for _, p := range s.list {
			bytes += p.share()
		}
		return nil
	})
	return bytes
}

// share is the process's proportional part of what it shares, or all where that can't be read.
func (p processMemory) share() int64 {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/smaps_rollup", p.pid))
	if err != nil || !strings.Contains(string(text), "Pss_Anon:") { // Linux 5.4
		return p.bytes
	}
	t := string(text)
	return min(p.bytes, field(t, "Pss_Anon:")+field(t, "Pss_Shmem:")+field(t, "SwapPss:"))
}

// realUID is the first id of the line "Uid:", or -1.
func realUID(status string) int {
	_, rest, found := strings.Cut(status, "\nUid:")
	var id int
	if _, err := fmt.Sscan(rest, &id); !found || err != nil {
		return -1
	}
	return id
}

func statusMemory(status string) int64 {
	return field(status, "RssAnon:") + field(status, "RssShmem:") + field(status, "VmSwap:") + field(status, "HugetlbPages:")
}

// field is the number on the line of text that begins with name, times 1024 if it is in kB; 0 where there is none.
func field(text, name string) int64 {
	for line := range strings.Lines(text) {
		rest, ok := strings.CutPrefix(line, name)
		if !ok {
			continue
		}
		words := strings.Fields(rest)
		if len(words) == 0 {
			return 0
		}
		n, _ := strconv.ParseInt(words[0], 10, 64)
		if len(words) > 1 && words[1] == "kB" {
			n *= 1024
		}
		return n
	}
	return 0
}

// tick is what utime and its kin are counted in: USER_HZ is 100 on all machines that we run on.
const tick = 10 * time.Millisecond

// cpuOf reads the CPU time of a process, and of its children that it has waited for.
func cpuOf(pid int) (user, system, reapedUser, reapedSystem time.Duration, err error) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, 0, 0, 0, err
	}
	t, err := parseStat(string(b))
	return t[0], t[1], t[2], t[3], err
}

// parseStat returns utime, stime, cutime and cstime of a process, which are the fields 14 to 17. The second one is a name in parentheses,
// which the process chooses: it may have blanks and parentheses, but no field after it has.
func parseStat(text string) (times [4]time.Duration, err error) {
	words := strings.Fields(text[strings.LastIndexByte(text, ')')+1:]) // from the third on
	if len(words) < 15 {
		return times, errors.New("stat: too few fields")
	}
	for i := range times {
		n, err := strconv.ParseInt(words[11+i], 10, 64)
		if err != nil || n < 0 || n > int64(math.MaxInt64/tick) {
			return times, fmt.Errorf("stat: a time is %q", words[11+i])
		}
		times[i] = time.Duration(n) * tick
	}
	return times, nil
}

// reapedBy is the CPU time of the children that a process has waited for.
func reapedBy(pid int) (user, system time.Duration, err error) {
	_, _, user, system, err = cpuOf(pid)
	return user, system, err
}
