// SPDX-License-Identifier: Apache-2.0

package nsjail

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"sync"

	"golang.org/x/sys/unix"
)

// ErrSpawnerGone says that the spawner process has ended and with it every sandbox: a new Spawner is needed.
var ErrSpawnerGone = errors.New("the spawner process is gone")

// Spawner is the sandbox-init process, executed from a sealed file, that all sandboxes are cloned from. Cloning from a
// small single-threaded process instead of from the daemon means that no page tables of the daemon are copied, that no
// memory of the daemon is ever in a sandbox, and that a sandbox dies when the daemon does, whichever of its threads ends.
type Spawner struct {
	cgroups *Cgroups
	host    host
	program func(Config, host) []op // sandboxProgram; tests leave an op out
	roots   []string
	cmd     *exec.Cmd
	done    chan struct{} // closed when the process has ended
	locks   lockWatch

	mu                sync.Mutex // guards all below: one spawn at a time, a request and its reply
	ctl               *control
	netnsReady        bool // the spawner is in a network namespace that no sandbox has, or was asked to make one
	netnsLoopback     bool // that namespace, or the last one, has its loopback up
	netnsReplyPending []op // the networkProgram that has not been answered yet
}

// NewSpawner starts a spawner whose sandboxes may have roots below the given directories and get their cgroups in
// cgroups. It needs root. The directories must exist; sandboxes see files that are added below them later.
func NewSpawner(cgroups *Cgroups, roots ...string) (*Spawner, error) {
	return newSpawner(ownExecutable, cgroups, roots...)
}

// newSpawner takes the executable that holds sandbox-init, so that tests can give one built with sanitizers.
func newSpawner(exe string, cgroups *Cgroups, roots ...string) (*Spawner, error) {
	real, err := realPaths(roots)
	if err != nil {
		return nil, fmt.Errorf("sandbox root: %w", err)
	}
	if _, err := sharedPoller(); err != nil { // now and not at the first program
		return nil, err
	}
	h, err := findHost()
	if err != nil {
		return nil, err
	}
	h.cgroups = cgroups.at.view()
	sealed, onOverlay, err := sealExecutable(exe)
	if err != nil {
		return nil, fmt.Errorf("start sandbox-init: %w", err)
	}
	defer sealed.Close()
	h.initOnOverlay = onOverlay
	ctl, remote, err := newControl()
	if err != nil {
		return nil, err
	}
	s := &Spawner{cgroups: cgroups, host: h, program: sandboxProgram, roots: real, ctl: ctl, done: make(chan struct{})}
	s.locks.open()
	end := os.NewFile(uintptr(remote), "control")
	defer end.Close()
	s.cmd = &exec.Cmd{
		Path:       fmt.Sprintf("/proc/%d/fd/%d", os.Getpid(), sealed.Fd()), // the child's own numbers differ
		Args:       []string{"sandbox-init"},
		Env:        []string{},
		ExtraFiles: []*os.File{end}, // becomes CONTROL_FD
	}
	if err := s.cmd.Start(); err != nil {
		ctl.Close()
		s.locks.Close()
		return nil, fmt.Errorf("start sandbox-init: %w", err)
	}
	lowerDiskPriority(s.cmd.Process.Pid)
	go func() {
		_ = s.cmd.Wait() // its status says nothing: it ends when its socket does
		close(s.done)
	}()
	if err := s.call(stageProgram(real, h)); err != nil {
		s.Close()
		return nil, fmt.Errorf("prepare the spawner: %w", err)
	}
	return s, nil
}

// realPaths returns the real paths of directories: the stage resolves them from / without following symbolic links.
func realPaths(dirs []string) ([]string, error) {
	real := make([]string, len(dirs))
	for i, dir := range dirs {
		p, err := filepath.EvalSymlinks(dir)
		if err == nil {
			p, err = filepath.Abs(p)
		}
		if err != nil {
			return nil, err
		}
		real[i] = p
	}
	return real, nil
}

// call sends a program that ends in WAIT and awaits READY.
func (s *Spawner) call(ops []op) error {
	if err := s.ctl.send(ops); err != nil {
		return err
	}
	_, err := awaitReady(s.ctl, ops)
	return err
}

// awaitReady awaits READY and returns the descriptor that came with it, or -1.
func awaitReady(ctl *control, ops []op) (int, error) {
	r, fd, err := ctl.receive()
	switch {
	case errors.Is(err, io.EOF):
		return -1, errors.New("sandbox-init ended without a reply")
	case err != nil:
		return -1, err
	case r.code == replyFailed:
		return -1, opError(ops, r)
	case r.code != replyReady:
		return -1, fmt.Errorf("sandbox-init sent reply %d, want READY", r.code)
	}
	return fd, nil
}

// Done is closed when the spawner process has ended; every later New gives ErrSpawnerGone.
func (s *Spawner) Done() <-chan struct{} { return s.done }

// New makes a sandbox and starts its set-up, which Run and Ready wait for. An error is a fault of ours or of the
// host, never of a job.
func (s *Spawner) New(ctx context.Context, cfg Config) (_ *Sandbox, err error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if err := s.checkRoot(cfg.Root); err != nil {
		return nil, err
	}
	cg, err := s.cgroups.newCgroup()
	if err != nil {
		return nil, err
	}
	cfg.cgroup = cg.name
	sb := &Sandbox{cfg: cfg, cg: cg, account: cg, spawner: s, pidfd: -1, dir: -1, setup: s.program(cfg, s.host)}
	defer func() {
		if err != nil {
			err = errors.Join(err, sb.Close())
		}
	}()
	ctl, remote, err := newControl()
	if err != nil {
		return nil, err
	}
	sb.ctl = ctl
	pid, err := s.spawn(sb, remote)
	unix.Close(remote)
	if err != nil {
		return nil, fmt.Errorf("clone sandbox: %w", err)
	}
	// On v1 hierarchies nothing can be born into a cgroup; sandbox-init waits, and nothing else is in there yet.
	if err := cg.join(pid); err != nil {
		return nil, err
	}
	if err := ctl.send(sb.setup); err != nil {
		return nil, fmt.Errorf("set up sandbox: %w", err)
	}
	return sb, nil
}

// spawn asks the spawner to clone a child that gets remote as its socket, and meanwhile finishes the child's cgroup. It sets
// sb.pid and sb.pidfd.
func (s *Spawner) spawn(sb *Sandbox, remote int) (pid int, err error) {
	fds := []int{remote}
	into, ok := sb.cg.cloneInto()
	if ok {
		fds = append(fds, into)
	}
	ops := spawnProgram(sb.cfg, ok)
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := errors.Join(s.prepareNetns(sb.cfg.Loopback), s.ctl.send(ops, fds...)); err != nil {
		return 0, errors.Join(ErrSpawnerGone, err)
	}
	s.netnsReady = false
	finished := sb.cg.finish(sb.cfg.Resources, sb.cfg.Loopback)
	if err := s.awaitNetns(); err != nil {
		return 0, errors.Join(ErrSpawnerGone, err)
	}
	r, pidfd, err := s.ctl.receive()
	switch {
	case err != nil:
		return 0, errors.Join(ErrSpawnerGone, err)
	case r.code == replyFailed:
		return 0, errors.Join(opError(ops, r), finished)
	case r.code != replySpawned || pidfd < 0:
		return 0, fmt.Errorf("the spawner sent reply %d, want SPAWNED", r.code)
	}
	sb.pid, sb.pidfd = int(r.arg[0]), pidfd
	return sb.pid, finished
}

// prepareNetns asks the spawner to make the next sandbox's network namespace, unless it has one of that kind. s.mu must be held.
func (s *Spawner) prepareNetns(loopback bool) error {
	if s.netnsReady && s.netnsLoopback == loopback {
		return nil
	}
	if err := s.awaitNetns(); err != nil {
		return err
	}
	ops := networkProgram(loopback)
	if err := s.ctl.send(ops); err != nil {
		return err
	}
	s.netnsReady, s.netnsLoopback, s.netnsReplyPending = true, loopback, ops
	return nil
}

// awaitNetns awaits the reply to a networkProgram, if one is pending. s.mu must be held.
func (s *Spawner) awaitNetns() error {
	ops := s.netnsReplyPending
	if ops == nil {
		return nil
	}
	s.netnsReplyPending = nil
	_, err := awaitReady(s.ctl, ops)
	return err
}

// prepareNext prepares a network namespace for the next sandbox, which probably has the same network as the last one. It is called when a
// sandbox is retired: while one is being set up it would only take CPU time away from that.
func (s *Spawner) prepareNext() {
	s.mu.Lock()
	defer s.mu.Unlock()
	_ = s.prepareNetns(s.netnsLoopback) // a spawner that is gone is noticed by the next spawn
}

func (s *Spawner) checkRoot(root string) error {
	for _, r := range s.roots {
		if p, err := filepath.Rel(r, root); err == nil && filepath.IsLocal(p) {
			return nil
		}
	}
	return fmt.Errorf("sandbox root %s is not below any of %v", root, s.roots)
}

// Close ends the spawner, with every sandbox that is still open, and waits for it.
func (s *Spawner) Close() error {
	err := s.ctl.Close()
	<-s.done
	s.locks.Close()
	return err
}
