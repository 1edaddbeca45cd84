// SPDX-License-Identifier: Apache-2.0

package nsjail

import (
	"errors"
	"fmt"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// user is the account of a sandbox in a Task: a uid that no other process of the machine has. It kills by that uid, counts what processes
// of it have by reading /proc, and removes their files.
type user struct {
	keeper, program, group int // ids on the host; see struct shared in init.c
	init                   int // pid of sandbox-init
	places                 []*place
	stray                  []string // directories that may have files of it besides
	release                func()   // called when all is removed

	mu           sync.Mutex // guards all below
	limits       Resources
	memoryPeak   int64 // bytes, as far as it was sampled
	pidsPeak     int64
	user, system time.Duration
}

// userSources are what a user's counters come from.
var userSources = sources{pids: "RLIMIT_NPROC", cpu: "/proc/PID/stat utime + stime"}

// leastID is the least id that sandbox-init accepts for a sandbox without namespaces: those below may be accounts.
const leastID = 65536

// newUser returns the user for the ids that root and the program's id inside are mapped to.
func newUser(mappings []IDMap) (*user, error) {
	const insideProgram = 1000
	u := &user{keeper: hostID(mappings, 0), program: hostID(mappings, insideProgram), release: func() {}}
	u.group = u.program
	if u.keeper < leastID || u.program < leastID || u.keeper == u.program {
		return nil, fmt.Errorf("sandbox ids %v: the ids 0 and %d must be mapped to two, from %d on", mappings, insideProgram, leastID)
	}
	return u, nil
}

// begin takes what is used before the sandbox has any process.
func (u *user) begin(cfg Config) error {
	for _, p := range u.places {
		if err := p.begin(cfg.Mounts); err != nil {
			return err
		}
	}
	return u.set(cfg.Resources)
}

// process is p as it has to be started on the host. It is p itself where there is no user.
func (u *user) process(p Process) Process {
	if u == nil {
		return p
	}
	p.UID, p.GID = uint32(u.program), uint32(u.group)
	var limits []Rlimit
	for _, r := range p.Rlimits {
		if r.Type != unix.RLIMIT_NPROC && r.Type != unix.RLIMIT_DATA {
			limits = append(limits, r)
		}
	}
	// The kernel counts processes and threads by real uid: this is the limit proper here. That of a process's memory is none: it only
	// bounds how far one can get before it is noticed, and runtimes reserve more than they use.
	threads, data := uint64(p.Resources.PidsMax), uint64(p.Resources.MemoryMax+dataSlack)
	p.Rlimits = append(limits,
		Rlimit{Type: unix.RLIMIT_NPROC, Soft: threads, Hard: threads}, Rlimit{Type: unix.RLIMIT_DATA, Soft: data, Hard: data})
	return p
}

// dataSlack is how many bytes more than its memory limit a process may map for itself.
const dataSlack = 1 << 30

func (u *user) set(r Resources) error {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.limits = r
	return nil
}

func (u *user) resetPeak() error {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.memoryPeak, u.pidsPeak = 0, 0
	return nil
}

// reaped takes the CPU time of all processes that sandbox-init has reaped. There may be no user.
func (u *user) reaped(user, system time.Duration) {
	if u == nil {
		return
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	u.user, u.system = user, system
}

// read samples the processes once more.
func (u *user) read() (counters, error) {
	s, err := sampleProcesses(u.program)
	if err != nil {
		return counters{}, err
	}
	u.note(s, u.used(s))
	u.mu.Lock()
	defer u.mu.Unlock()
	c := counters{memoryPeak: u.memoryPeak + initMemory, pidsPeak: u.pidsPeak, user: u.user, system: u.system, sources: userSources}
	if u.pidsPeak >= u.limits.PidsMax {
		c.pidsRefused = 1 // at least: the kernel does not count them
	}
	return c, nil
}

// note keeps the highest values.
func (u *user) note(s processes, memory int64) {
	user, system := s.user, s.system
	if reapedUser, reapedSystem, err := reapedBy(u.init); err == nil {
		user, system = user+reapedUser, system+reapedSystem
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	u.memoryPeak, u.pidsPeak = max(u.memoryPeak, memory), max(u.pidsPeak, s.threads)
	u.user, u.system = max(u.user, user), max(u.system, system)
}

// used is how much memory the processes of s and the files in the places take, in bytes.
func (u *user) used(s processes) int64 {
	used := s.memory()
	for _, p := range u.places {
		bytes, _ := p.used()
		used += bytes
	}
	return used
}

// How often the watch looks: at least watchRest times as long as a look takes lies between two.
const (
	watchPause = 10 * time.Millisecond
	nearPause  = time.Millisecond // when half of a limit is used: what is taken between two looks is beyond the limit
	watchRest  = 4
)

// watch looks for more memory or files than the limits allow, until stop is called. The evidence comes at most once.
func (u *user) watch() (over <-chan Evidence, stop func()) {
	found, quit, done := make(chan Evidence, 1), make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		timer := time.NewTimer(watchPause)
		defer timer.Stop()
		for {
			select {
			case <-quit:
				return
			case <-timer.C:
			}
			started := time.Now()
			e, over, near := u.look()
			if over {
				found <- e
				return
			}
			pause := watchPause
			if near {
				pause = nearPause
			}
			timer.Reset(max(pause, watchRest*time.Since(started)))
		}
	}()
	return found, func() {
		close(quit)
		<-done
	}
}

// look returns the evidence if too much is used; near: more than half of it is. A /proc that can't be read is too much: a limit that can't
// be looked at isn't kept.
func (u *user) look() (e Evidence, over, near bool) {
	for _, p := range u.places {
		if e, over := p.over(); over {
			return e, true, true
		}
	}
	u.mu.Lock()
	limits := u.limits
	u.mu.Unlock()
	most := limits.MemoryMax
	s, err := sampleProcesses(u.program)
	if err != nil {
		return Evidence{"unreadable /proc", 1, most, ""}, true, true
	}
	used := u.used(s)
	if used > most { // pages that several processes share are counted for each of them
		used -= s.memory() - s.exact(u.program, u.group)
	}
	u.note(s, used)
	return Evidence{"RssAnon + RssShmem + tmpfs", used, most, "bytes"}, used > most, used > most/2 || s.threads > limits.PidsMax/2
}

// remove removes the user's files.
func (u *user) remove() error {
	var errs []error
	for _, p := range u.places {
		errs = append(errs, removeFiles(p.dir, u.program, u.group))
	}
	for _, dir := range u.stray {
		errs = append(errs, removeFiles(dir, u.program, u.group))
	}
	err := errors.Join(errs...)
	if err == nil {
		u.release()
	}
	return err
}
