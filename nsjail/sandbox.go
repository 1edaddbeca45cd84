// SPDX-License-Identifier: Apache-2.0

package nsjail

import (
	"context"
	"errors"
	"fmt"

	"golang.org/x/sys/unix"
)

// Sandbox is one jail: created empty, waiting at WAIT, used for the steps of one job, destroyed. It is not safe for
// concurrent use.
type Sandbox struct {
	cfg     Config
	spawner *Spawner
	cg      *cgroup // nil in the tier task
	user    *user   // in the tier task, else nil
	account account // one of the two
	ctl     *control
	pid     int // of sandbox-init, as long as pidfd says that it lives
	pidfd   int
	setup   []op     // until it is known to be done
	dir     int      // of Config.OpenDir, -1 until the set-up is done
	steps   int      // runs that were begun
	paused  *handles // of the program that has stopped itself, or nil
	dead    bool
	lost    error // why processes may be left
}

// account limits, counts and kills the processes of a sandbox, and removes what they have left.
type account interface {
	set(Resources) error
	read() (counters, error)
	resetPeak() error
	kill() error
	remove() error
}

// ErrDead says that the sandbox was killed by an earlier step.
var ErrDead = errors.New("the sandbox is dead")

// Run runs one process in sb and returns when it and all its descendants are gone. An error is a fault of ours or of the
// host; whatever the program does is a Result. After a verdict other than Exited, Signaled, BadSyscall, FileSize,
// PidsLimit, StartFailed and Paused the sandbox is dead. When ctx ends everything is killed, and the verdict is Cancelled.
func (sb *Sandbox) Run(ctx context.Context, p Process) (Result, error) {
	if sb.dead {
		return Result{}, ErrDead
	}
	if err := errors.Join(p.check(sb.cfg), sb.paused.check(p)); err != nil {
		return Result{}, err
	}
	r := newRun(sb, p)
	defer r.Close()
	end, err := r.begin()
	if errors.Is(err, errFull) {
		return sb.full(p), nil
	}
	if err != nil {
		return Result{}, err
	}
	if end == nil {
		end = r.follow(ctx)
	}
	return r.conclude(end)
}

// Ready waits until the set-up is done; its error names the step that failed.
func (sb *Sandbox) Ready() error {
	if sb.setup == nil {
		return nil
	}
	dir, err := awaitReady(sb.ctl, sb.setup)
	if err != nil {
		sb.kill()
		return fmt.Errorf("set up sandbox: %w", err)
	}
	sb.setup, sb.dir = nil, dir
	return nil
}

// Alive reports whether sandbox-init lives, and its spawner too. One that waits for its first step dies soon after the spawner, or is
// killed by an operator.
func (sb *Sandbox) Alive() bool {
	select {
	case <-sb.spawner.done:
		return false
	default:
	}
	if sb.dead || sb.pidfd < 0 {
		return false
	}
	n, err := unix.Poll([]unix.PollFd{{Fd: int32(sb.pidfd), Events: unix.POLLIN}}, 0)
	return n == 0 && err == nil
}

// Dir is the descriptor of Config.OpenDir, or -1 where there is none or the set-up was not done. It stays usable after the
// sandbox was killed, until Close. The program has made all that is beneath it: open nothing there that is not known to be
// harmless. Between two calls of Run, and after the last, no process is left that could change it.
func (sb *Sandbox) Dir() int { return sb.dir }

// kill ends everything in the sandbox, sandbox-init included: the kernel kills a pid namespace with its first process.
func (sb *Sandbox) kill() {
	sb.dead = true
	if sb.user != nil {
		_ = sb.user.kill() // sandbox-init reaps what is dead, and reports it; Retire does not go by this alone
		return
	}
	_ = errors.Join(sb.cg.unthrottle(), sb.cg.endPriority()) // dying takes CPU time too: at a tiny rate it would take minutes
	sb.killInit()
	_ = sb.cg.kill() // once more by the cgroup, should a process be outside of the pid namespace
}

// killInit kills sandbox-init.
func (sb *Sandbox) killInit() {
	if sb.pidfd >= 0 {
		_ = unix.PidfdSendSignal(sb.pidfd, unix.SIGKILL, nil, 0) // ESRCH: gone already
	}
}

// Retire kills all processes in sb and waits until they are gone. Until Close the files beneath Dir remain, with the cgroup that is charged
// for them. The host ids are free for another sandbox.
func (sb *Sandbox) Retire() {
	if sb.user == nil {
		sb.spawner.prepareNext()
	}
	sb.kill()
	if sb.ctl != nil {
		sb.ctl.Close()
		sb.ctl = nil
	}
	if sb.paused != nil {
		sb.paused.Close()
		sb.paused = nil
	}
	if sb.user != nil {
		sb.killInit()
	}
	if sb.pidfd >= 0 {
		awaitExit(sb.pidfd)
		unix.Close(sb.pidfd)
		sb.pidfd = -1
	}
	if sb.user != nil {
		sb.lost = sb.user.killAll() // sandbox-init may have started a program while it was killed
	}
}

// Close retires sb, and removes its files and its cgroup.
func (sb *Sandbox) Close() error {
	sb.Retire()
	if sb.dir >= 0 {
		unix.Close(sb.dir)
		sb.dir = -1
	}
	return errors.Join(sb.lost, sb.account.remove())
}

// awaitExit waits until the process of a pidfd is gone; see pidfd_open(2).
func awaitExit(pidfd int) {
	for {
		_, err := unix.Poll([]unix.PollFd{{Fd: int32(pidfd), Events: unix.POLLIN}}, -1)
		if err != unix.EINTR {
			return
		}
	}
}
