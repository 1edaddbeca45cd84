// SPDX-License-Identifier: Apache-2.0

package nsjail

import (
	"context"
	"errors"
	"fmt"
	"io"
	"runtime"
	"time"

	"golang.org/x/sys/unix"
)

// ending is how a process ended, as far as sandbox-init and the timers know.
type ending struct {
	cause        Verdict         // why everything was killed, if killed
	killed       bool            //
	gone         bool            // sandbox-init is gone too
	startErr     error           // why the program was not started, as a Result says it
	internalErr  error           // why the run failed, through no fault of the program
	exited       bool            // status holds
	paused       bool            // it has stopped itself
	status       unix.WaitStatus //
	wall         time.Duration   //
	output       int64           // bytes of both streams
	pressure     time.Duration   // from the program's start until its wall time was over
	excess       Evidence        // of too much that the kernel charges to nobody
	denied       []Denied        //
	deniedMissed int64           // calls that found no place in denied
}

// startWait bounds the time from the order to run until execve. It takes a millisecond, but a host that is drowning in forks
// may need longer, and the program's own time begins only then.
const startWait = 30 * time.Second

// watch waits for the end of one process and enforces what the kernel doesn't: wall time, CPU time, output, cancellation.
type watch struct {
	*run

	denials   *denials
	wall, cpu *time.Timer
	executing bool          // STARTED has come
	startNs   uint64        // CLOCK_MONOTONIC, by sandbox-init
	pressure  time.Duration // until its start
	end       ending
}

func newWatch(r *run) *watch {
	return &watch{
		run: r, denials: newDenials(r.p.Decide),
		wall: time.NewTimer(startWait), cpu: time.NewTimer(cpuCheck(r.p, r.p.CPUTime)),
	}
}

// message is a reply, or an error, that readReplies passes on.
type message struct {
	reply reply
	fd    int // that came with it, or -1
	err   error
}

// await returns when sandbox-init has reported the end, or is gone itself. After a kill it only waits for that.
func (w *watch) await(ctx context.Context, flood <-chan struct{}) *ending {
	killed := w.denials.killed
	defer w.wall.Stop()
	defer w.cpu.Stop()
	messages := make(chan message, 1)
	go w.sb.readReplies(messages)
	oom, stop := w.sb.cg.oomEvents()
	defer stop()
	sockets := w.sb.watchSockets()
	defer sockets.Close()
	excess, remove := w.sb.watchExcess()
	defer remove()
	cancelled := ctx.Done()
	for {
		select {
		case m := <-messages:
			if w.handle(m) {
				return &w.end
			}
		case <-w.wall.C:
			if !w.executing {
				w.end.internalErr = fmt.Errorf("sandbox-init did not start the program within %v", startWait)
			}
			w.end.pressure = w.sb.cg.pressure() - w.pressure // without that of its dying
			w.kill(WallTime)
		case <-w.cpu.C:
			w.checkCPU()
		case <-oom:
			w.kill(OOMKilled)
		case <-sockets.C:
			w.checkSockets(sockets)
		case e := <-excess:
			w.killForExcess(e)
		case <-flood:
			flood = nil
			w.kill(OutputLimit)
		case <-killed:
			killed = nil
			w.kill(BadSyscall)
		case <-cancelled:
			cancelled = nil
			w.kill(Cancelled)
		}
	}
}

// handle reports whether m was the last message.
func (w *watch) handle(m message) bool {
	switch {
	case m.err != nil:
		w.gone(m.err)
	case m.reply.code == replyReady && w.sb.setup != nil:
		w.sb.setup, w.sb.dir = nil, m.fd
		return false
	case m.reply.code == replyFailed:
		w.failed(m.reply)
	case m.reply.code == replyExited:
		w.end.exited, w.end.status = true, unix.WaitStatus(m.reply.arg[0])
		w.sb.user.reaped(time.Duration(m.reply.arg[2])*time.Microsecond, time.Duration(m.reply.arg[3])*time.Microsecond)
		w.end.wall = time.Duration(m.reply.arg[1] - w.startNs)
	case m.reply.code == replyPaused:
		w.end.paused = true
		w.end.wall = time.Duration(m.reply.arg[1] - w.startNs)
	case m.reply.code == replyStarted:
		if m.fd >= 0 {
			w.denials.serve(m.fd)
		}
		w.start(m.reply)
		return false
	}
	return true
}

// failed takes the reply that says which op failed. A program that could not be started is the job's affair, the rest is ours.
func (w *watch) failed(r reply) {
	switch {
	case w.sb.setup != nil:
		w.end.internalErr = fmt.Errorf("set up sandbox: %w", opError(w.sb.setup, r))
	case r.arg[0] < uint64(len(w.order)) && w.order[r.arg[0]].code == opContinue:
		w.end.internalErr = opError(w.order, r)
	default:
		w.end.startErr = opError(w.order, r)
	}
}

func (w *watch) gone(err error) {
	w.end.gone = true
	switch {
	case !errors.Is(err, io.EOF):
		w.end.internalErr = err
	case w.sb.setup != nil && !w.end.killed:
		w.end.internalErr = errors.New("set up sandbox: sandbox-init ended without a reply")
	}
}

func (w *watch) start(r reply) {
	w.executing, w.startNs = true, r.arg[0]
	w.countFrom(time.Duration(r.arg[1])*time.Microsecond, time.Duration(r.arg[2])*time.Microsecond)
	if w.end.killed {
		w.sb.kill() // the program was none yet when it was killed, where that is by its uid
	} else {
		w.wall.Reset(w.p.WallTime)
	}
	if w.p.OnStart != nil {
		w.p.OnStart()
	}
	w.pressure = w.sb.cg.pressure()
}

// kill kills everything; the first cause counts.
func (w *watch) kill(cause Verdict) {
	if w.end.killed {
		return
	}
	w.end.cause, w.end.killed = cause, true
	w.wall.Stop()
	w.cpu.Stop()
	w.sb.kill()
	if !w.executing {
		w.sb.killInit() // a program that it starts now ends with it
	}
}

func (w *watch) checkCPU() {
	user, system, err := w.sb.cpuTimes()
	left := w.p.CPUTime - (user + system - w.before.user - w.before.system)
	if err != nil || left <= 0 { // a limit that can't be read can't be kept
		w.kill(CPUTime)
		return
	}
	w.cpu.Reset(cpuCheck(w.p, left))
}

// checkSockets kills a program that holds far too much in sockets, or whose sockets can't be read.
func (w *watch) checkSockets(s *socketWatch) {
	e, over, err := s.check(w.p)
	if over {
		w.killForExcess(e)
	}
	if err != nil && !w.end.killed {
		w.end.internalErr = err
		w.kill(Internal)
	}
}

// killForExcess kills a program that holds far too much of something that the kernel charges to nobody.
func (w *watch) killForExcess(e Evidence) {
	if !w.end.killed {
		w.end.excess = e
		w.kill(OOMKilled)
	}
}

// readReplies passes on the replies of sandbox-init about one EXEC, and about the set-up before, until the program or sandbox-init has
// ended.
func (sb *Sandbox) readReplies(to chan<- message) {
	for {
		r, fd, err := sb.ctl.receive()
		to <- message{r, fd, err}
		if err != nil || r.code != replyStarted && r.code != replyReady {
			return
		}
	}
}

// cpuCheck is after how long left can be used up at the earliest: a timer set to it needs no polling.
func cpuCheck(p Process, left time.Duration) time.Duration {
	millicores := min(p.Resources.CPUMillicores, int64(runtime.NumCPU())*1000)
	return max(left*1000/time.Duration(millicores), time.Millisecond)
}
