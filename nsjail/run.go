// SPDX-License-Identifier: Apache-2.0

package nsjail

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"
)

// run is one call of Sandbox.Run: begin, follow, conclude, Close. It owns the handles of the program from begin to Close, unless the
// program has paused: then conclude gives them to the sandbox, where the next run takes them from.
type run struct {
	sb      *Sandbox
	p       Process
	handles *handles
	resumed bool     // the program had paused, and goes on
	before  counters // that usage is counted from
	order   []op     // that started the program
	started time.Time
}

func newRun(sb *Sandbox, p Process) *run {
	if p.Interleave {
		p.Seccomp = keepBlocking(p.Seccomp)
	}
	return &run{sb: sb, p: p}
}

// Close closes the handles of a program that has ended.
func (r *run) Close() {
	if r.handles != nil {
		r.handles.Close()
	}
}

// begin sets the limits, makes the pipes and sends the order to run. A program that could not be started has an ending already. After an
// error nothing was sent: errFull says that a step before left more memory in use than this one may have.
func (r *run) begin() (*ending, error) {
	if err := r.setLimits(); err != nil {
		return nil, err
	}
	if err := r.open(); err != nil {
		return nil, err
	}
	r.started = time.Now()
	return r.send(), nil
}

// setLimits writes the step's limits and takes the counters that its usage is counted from. Before the first step there is
// nothing to count but sandbox-init's CPU time, which it reports itself; see countFrom.
func (r *run) setLimits() error {
	if r.sb.steps++; r.sb.steps > 1 {
		before, err := r.sb.account.read()
		if err == nil {
			err = r.sb.account.resetPeak()
		}
		if err != nil {
			return err
		}
		r.before = before
	}
	return r.sb.account.set(r.p.Resources)
}

// countFrom takes the CPU time that sandbox-init had used itself when the program was executed, for the first step. A user does not count
// it.
func (r *run) countFrom(user, system time.Duration) {
	if r.sb.steps == 1 && r.sb.user == nil {
		r.before.user, r.before.system = user, system
	}
}

// open makes the program's pipes, or takes over those of the program that goes on.
func (r *run) open() error {
	if r.sb.paused != nil {
		r.handles, r.sb.paused, r.resumed = r.sb.paused, nil, true
		err := r.handles.streams.reuse(r.p)
		if err != nil {
			r.sb.kill() // it can't go on
		}
		return err
	}
	s, err := newStreams(r.p, hostID(r.sb.cfg.UIDMappings, r.p.UID), hostID(r.sb.cfg.GIDMappings, r.p.GID))
	if err != nil {
		return err
	}
	r.handles = &handles{streams: s, listener: -1, filter: r.p.Seccomp, rlimits: r.p.Rlimits}
	return nil
}

// send gives sandbox-init the files and the order to run. If that fails the run is over.
func (r *run) send() *ending {
	sb := r.sb
	packets := r.packets()
	last := len(packets) - 1
	if last > 0 { // each packet but the last is answered, and the set-up's answer comes before
		if err := sb.Ready(); err != nil {
			return &ending{internalErr: err, gone: true}
		}
	}
	for i, ops := range packets {
		if err := sb.ctl.send(ops, r.descriptors(i == 0, i == last)...); err != nil {
			why := cmp.Or(sb.Ready(), fmt.Errorf("send to sandbox-init: %w", err)) // Ready may know why it is gone
			return &ending{internalErr: why, gone: true}
		}
		if i == last {
			break
		}
		if _, err := awaitReady(sb.ctl, ops); err != nil {
			return &ending{startErr: err, gone: true}
		}
	}
	r.handles.streams.closeChildEnds()
	r.order = packets[last]
	return nil
}

func (r *run) packets() [][]op {
	if r.resumed {
		return continueProgram(r.handles.limited(r.p, r.before.user+r.before.system))
	}
	return processProgram(r.sb.user.process(r.p), r.sb.spawner.host)
}

// descriptors are those that go with a packet: the program's ends of its pipes with the last one, the source of copied files with the first
// one, where OP_SOURCE takes the last descriptor.
func (r *run) descriptors(first, last bool) (fds []int) {
	if last {
		fds = slices.Clone(r.handles.streams.childFDs)
	}
	if first && r.p.copies() {
		fds = append(fds, r.p.Source)
	}
	return fds
}

// follow returns when the program has ended, or has stopped itself.
func (r *run) follow(ctx context.Context) *ending {
	w := newWatch(r)
	if fd := r.handles.takeListener(); fd >= 0 {
		w.denials.serve(fd)
	}
	streams := r.handles.streams
	streams.copy()
	end := w.await(ctx, streams.out.flood)
	if end.gone {
		awaitExit(r.sb.pidfd) // its socket closes before its last child is dead
		if r.sb.user != nil && end.internalErr == nil {
			end.internalErr = r.sb.user.killAll() // which need not be, without a pid namespace
		}
	}
	streams.end()
	if end.paused {
		var err error
		if r.handles.listener, err = w.denials.dup(); err != nil {
			end.internalErr = err
		}
	}
	w.denials.end()
	end.denied, end.deniedMissed = w.denials.list, w.denials.missed
	return end
}

// conclude reads the kernel's counters and returns how the program ended.
func (r *run) conclude(end *ending) (Result, error) {
	sb := r.sb
	if end.paused {
		r.p.Resources.Idle = false
		end.internalErr = errors.Join(end.internalErr, sb.account.set(r.p.Resources)) // now, not when it is waited for
	}
	if end.internalErr != nil {
		sb.kill()
		// A memory limit that is too small for sandbox-init is no fault of ours.
		if !end.gone || !sb.killedByOOM(r.before) {
			return Result{}, end.internalErr
		}
	}
	after, err := sb.account.read()
	if err != nil {
		return Result{}, err
	}
	end.wall = cmp.Or(end.wall, time.Since(r.started))
	out := r.handles.streams.out
	end.output = out.total.Load()
	result := classify(r.p, *end, r.before, after)
	result.addOutput(out.kept)
	sb.dead = end.killed || end.gone || result.Verdict == OOMKilled
	if end.paused {
		sb.paused, r.handles = r.handles, nil
	}
	return result, nil
}
