package nsjail

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"golang.org/x/sys/unix"
)

// Sandbox is one jail: created empty, waiting at WAIT, used for the steps of one job, destroyed. It is not safe for
// concurrent use.
type Sandbox struct {
	cfg     Config
	spawner *Spawner
	cg      *cgroup
	ctl     *control
	pid     int // of sandbox-init, as long as pidfd says that it lives
	pidfd   int
	setup   []op // until it is known to be done
	dir     int  // of Config.OpenDir, -1 until the set-up is done
	steps   int  // begun
	paused  *paused
	dead    bool
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
	if p.Interleave {
		p.Seccomp = keepBlocking(p.Seccomp)
	}
	before, err := sb.prepare(p)
	if errors.Is(err, errFull) {
		held, _ := sb.cg.memoryCurrent() // for the evidence alone
		return full(p, held), nil
	}
	if err != nil {
		return Result{}, err
	}
	s, err := sb.streams(p)
	if err != nil {
		return Result{}, err
	}
	started := time.Now()
	order, end := sb.send(p, s, before)
	w := newWatch(sb, p, order, before)
	if end == nil {
		end, before = sb.follow(ctx, w, s), w.before
	}
	switch {
	case end.paused:
		r := sb.cg.written
		r.Idle = false // now, not when it is waited for
		end.ours = errors.Join(end.ours, sb.cg.set(r))
	case sb.paused != nil: // it could not be told to go on
		sb.paused.Close()
		sb.paused = nil
	default:
		s.Close()
	}
	if end.ours != nil {
		sb.kill()
		// A memory limit that is too small for sandbox-init is no fault of ours.
		if !end.gone || !sb.cg.killedByOOM(before) {
			return Result{}, end.ours
		}
	}
	end.output = s.out.total.Load()
	if end.wall == 0 {
		end.wall = time.Since(started)
	}
	after, err := sb.cg.read()
	if err != nil {
		return Result{}, err
	}
	r := classify(p, *end, before, after)
	if e, ok := starved(p, r.Usage, end.pressure); ok && r.Verdict == WallTime {
		r.Evidence = append(r.Evidence, e)
	}
	sb.dead = end.killed || end.gone || r.Verdict == OOMKilled
	r.Order, r.OrderTruncated = s.out.kept.finish()
	r.Stdout, r.Stderr = s.out.kept.out[0], s.out.kept.out[1]
	r.Denied, r.DeniedMissed = end.denied, w.denials.missed
	return r, nil
}

// streams are the pipes of p, or those of the program that goes on as p.
func (sb *Sandbox) streams(p Process) (*streams, error) {
	if sb.paused == nil {
		return newStreams(p, hostID(sb.cfg.UIDMappings, p.UID), hostID(sb.cfg.GIDMappings, p.GID))
	}
	return sb.paused.streams, sb.paused.streams.again(p)
}

// follow returns when the program that was sent has ended, or has stopped itself.
func (sb *Sandbox) follow(ctx context.Context, w *watch, s *streams) *ending {
	if sb.paused != nil && sb.paused.listener >= 0 {
		w.denials.serve(sb.paused.take())
	}
	s.copy()
	end := w.run(ctx, s.out.flood)
	if end.gone {
		awaitExit(sb.pidfd) // its socket closes before its last child is dead
	}
	s.end()
	rlimits := w.p.Rlimits
	if sb.paused != nil {
		rlimits = sb.paused.rlimits
	}
	sb.paused = nil
	if end.paused {
		fd, err := w.denials.pass()
		if err != nil {
			end.ours = err
		}
		sb.paused = &paused{s, fd, w.p.Seccomp, rlimits}
	}
	w.denials.end()
	end.denied = w.denials.list
	return end
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

// Alive reports whether sandbox-init still lives, and will. One that waits for its first step dies soon after the spawner, or by the hand of
// an operator.
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
// sandbox was killed, until Close. What is beneath it is the program's work: nothing in it may be opened that is not known to be
// harmless. Between two calls of Run, and after the last, nobody lives who could change it.
func (sb *Sandbox) Dir() int { return sb.dir }

// prepare writes the step's limits and takes the counters that its usage is counted from. Before the first step there is
// nothing to count but sandbox-init's CPU time, which it reports itself.
func (sb *Sandbox) prepare(p Process) (before counters, err error) {
	if sb.steps++; sb.steps > 1 {
		if before, err = sb.cg.read(); err == nil {
			err = sb.cg.resetPeak()
		}
		if err != nil {
			return before, err
		}
	}
	return before, sb.cg.set(p.Resources)
}

// send gives sandbox-init the files and the order to run, which it returns; a step that can't be prepared is an end already.
func (sb *Sandbox) send(p Process, s *streams, before counters) ([]op, *ending) {
	program := processProgram(p, sb.spawner.host)
	if sb.paused != nil {
		program = continueProgram(sb.paused.limited(p, before.user+before.system))
	}
	if len(program) > 1 { // each packet but the last is answered, and the set-up's answer comes before
		if err := sb.Ready(); err != nil {
			return nil, &ending{ours: err, gone: true}
		}
	}
	for i, ops := range program {
		last := i == len(program)-1
		var fds []int
		if last {
			fds = s.its
		}
		if i == 0 && p.copies() { // the last one, where OP_SOURCE takes it from
			fds = append(slices.Clip(fds), p.Source)
		}
		if err := sb.ctl.send(ops, fds...); err != nil {
			if failed := sb.Ready(); failed != nil { // that is why it is gone
				return nil, &ending{ours: failed, gone: true}
			}
			return nil, &ending{ours: fmt.Errorf("send to sandbox-init: %w", err), gone: true}
		}
		if last {
			break
		}
		if _, err := awaitReady(sb.ctl, ops); err != nil {
			return nil, &ending{failed: err, gone: true}
		}
	}
	s.closeIts()
	return program[len(program)-1], nil
}

// kill ends everything in the sandbox, sandbox-init included: the kernel kills a pid namespace with its first process.
func (sb *Sandbox) kill() {
	sb.dead = true
	_ = sb.cg.unthrottle() // dying takes CPU time too: at a tiny rate it would take minutes
	if sb.pidfd >= 0 {
		_ = unix.PidfdSendSignal(sb.pidfd, unix.SIGKILL, nil, 0) // ESRCH: gone already
	}
	_ = sb.cg.kill() // the same once more, for what the kernel may know only by the cgroup
}

// Retire kills all that is in sb and waits until it is gone. What is left until Close is what Dir shows, with the cgroup that is charged for
// it: the host ids are free for another sandbox.
func (sb *Sandbox) Retire() {
	sb.spawner.ahead()
	sb.kill()
	if sb.ctl != nil {
		sb.ctl.Close()
		sb.ctl = nil
	}
	if sb.paused != nil {
		sb.paused.Close()
		sb.paused = nil
	}
	if sb.pidfd >= 0 {
		awaitExit(sb.pidfd)
		unix.Close(sb.pidfd)
		sb.pidfd = -1
	}
}

// Close kills what is left, waits for it, and removes the cgroup.
func (sb *Sandbox) Close() error {
	sb.Retire()
	if sb.dir >= 0 {
		unix.Close(sb.dir)
		sb.dir = -1
	}
	return sb.cg.remove()
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
