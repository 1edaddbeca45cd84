// SPDX-License-Identifier: Apache-2.0

package nsjail

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"sync"

	"golang.org/x/sys/unix"
)

// Task makes sandboxes where the host refuses namespaces and cgroups: in a container without CAP_SYS_ADMIN, such as a task on AWS
// Fargate. What isolates a program there is a uid that nobody else has, no_new_privs, no capability, the filter (see
// seccomp.NotifyProgram.Unshared), Landlock where the kernel has it, and resource limits. Memory, files and CPU time are watched by
// reading /proc and statfs(2), as no cgroup bounds them.
//
// The program sees the root that the daemon has. Neither of the other ways works: to give it a root of its own takes chroot(2), and a /proc
// in there, without which no JVM starts, takes mount(2). So the languages have to be in that root; all are of one Debian release, so their
// trees can be put into one. The program may write to Places alone.
//
// There is one sandbox at a time. What one leaves is removed before the next, but the kernel, the list of processes and the network
// namespace are shared with the daemon: see SECURITY.md for what this can't hold.
type Task struct {
	spawner *Spawner
	lock    *os.File // of the first place, held: one Task has them
	places  []*place
	stray   []string // directories elsewhere that anybody may write to, where no Landlock forbids it

	mu    sync.Mutex
	taken bool // by a sandbox that is not closed
}

// TaskPlaces are the directories to which a program in a Task may write.
var TaskPlaces = []string{"/workspace", "/tmp", "/dev/shm"}

// OpenTask starts the process that sandboxes are cloned from, and kills all that an earlier Task left under the ids of mappings. It needs
// CAP_SETUID and CAP_SETGID. Each of places must be a directory that anybody may write to, on a tmpfs: what is in there is memory, which
// this package watches.
func OpenTask(places []string, mappings []IDMap) (_ *Task, err error) {
	if _, err := sharedPoller(); err != nil { // now and not at the first program
		return nil, err
	}
	t := &Task{}
	defer func() {
		if err != nil && t.lock != nil {
			t.lock.Close()
		}
	}()
	for _, dir := range places {
		p, err := newPlace(dir)
		if err != nil {
			return nil, err
		}
		t.places = append(t.places, p)
	}
	if err := checkApart(t.places); err != nil {
		return nil, err
	}
	if t.lock, err = lockDir(places[0]); err != nil {
		return nil, fmt.Errorf("%s: %w", places[0], err)
	}
	h, err := findKernel()
	if err != nil {
		return nil, err
	}
	h.initOnOverlay = true // it is executed from a file, which Landlock restricts
	u, err := newUser(mappings)
	if err != nil {
		return nil, err
	}
	u.places = t.places
	if h.landlock == 0 {
		t.stray, u.stray = worldWritable("/", places), nil
		u.stray = t.stray
	}
	if err := errors.Join(u.killAll(), u.remove()); err != nil {
		return nil, fmt.Errorf("clear what an earlier daemon left: %w", err)
	}
	if t.spawner, err = startTaskSpawner(h); err != nil {
		return nil, err
	}
	return t, nil
}

// startTaskSpawner starts a spawner that stays in the daemon's namespaces. Its executable needs no seal: programs are neither its owner nor
// root of anything, so they can't write it.
func startTaskSpawner(h host) (*Spawner, error) {
	ctl, remote, err := newControl()
	if err != nil {
		return nil, err
	}
	s := &Spawner{host: h, ctl: ctl, done: make(chan struct{})}
	end := os.NewFile(uintptr(remote), "control")
	defer end.Close()
	s.cmd = &exec.Cmd{Path: ownExecutable, Args: []string{"sandbox-init"}, Env: []string{}, ExtraFiles: []*os.File{end}}
	if err := s.cmd.Start(); err != nil {
		ctl.Close()
		return nil, fmt.Errorf("start sandbox-init: %w", err)
	}
	go func() {
		_ = s.cmd.Wait() // its status says nothing: it ends when its socket does
		close(s.done)
	}()
	if err := s.call(taskStageProgram()); err != nil {
		s.Close()
		return nil, fmt.Errorf("prepare the spawner: %w", err)
	}
	return s, nil
}

// New makes a sandbox, as Spawner.New does. Of cfg, Root must be "/", and Mounts must be some of the places; their sizes are watched.
func (t *Task) New(ctx context.Context, cfg Config) (_ *Sandbox, err error) {
	if err := errors.Join(ctx.Err(), t.check(cfg)); err != nil {
		return nil, err
	}
	u, err := newUser(cfg.UIDMappings)
	if err != nil {
		return nil, err
	}
	if err := t.take(); err != nil {
		return nil, err
	}
	u.places, u.stray, u.release = t.places, t.stray, t.release
	sb := &Sandbox{cfg: cfg, user: u, account: u, spawner: t.spawner, pidfd: -1, dir: -1, setup: taskProgram(cfg, t.spawner.host, u)}
	defer func() {
		if err != nil {
			err = errors.Join(err, sb.Close())
		}
	}()
	if err := u.begin(cfg); err != nil {
		return nil, err
	}
	ctl, remote, err := newControl()
	if err != nil {
		return nil, err
	}
	sb.ctl = ctl
	err = t.spawner.clone(sb, remote)
	unix.Close(remote)
	if err != nil {
		return nil, fmt.Errorf("clone sandbox: %w", err)
	}
	u.init = sb.pid
	if err := ctl.send(sb.setup); err != nil {
		return nil, fmt.Errorf("set up sandbox: %w", err)
	}
	return sb, nil
}

// check refuses what only namespaces could give.
func (t *Task) check(cfg Config) error {
	switch {
	case cfg.Root != "/":
		return fmt.Errorf("sandbox root %s: without mount namespaces it can only be /", cfg.Root)
	case cfg.Loopback:
		return errors.New("a sandbox without a network namespace has no loopback")
	case cfg.Resources.MemoryMax <= 0 || cfg.Resources.PidsMax <= 0 || cfg.Resources.CPUMillicores <= 0:
		return fmt.Errorf("sandbox limits %+v: each must be set", cfg.Resources)
	}
	return nil
}

func (t *Task) take() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.taken {
		return errors.New("another sandbox is open: without namespaces there is one at a time")
	}
	t.taken = true
	return nil
}

func (t *Task) release() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.taken = false
}

// Done is closed when the process that sandboxes are cloned from has ended.
func (t *Task) Done() <-chan struct{} { return t.spawner.done }

// Close ends that process, with the sandbox that is still open. The program in it may live on until the next OpenTask.
func (t *Task) Close() error {
	err := t.spawner.ctl.Close()
	<-t.spawner.done
	return errors.Join(err, t.lock.Close())
}

// clone asks the spawner to clone a child that stays in its namespaces.
func (s *Spawner) clone(sb *Sandbox, remote int) error {
	ops := []op{{code: opSpawn}}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.ctl.send(ops, remote); err != nil {
		return errors.Join(ErrSpawnerGone, err)
	}
	r, pidfd, err := s.ctl.receive()
	switch {
	case err != nil:
		return errors.Join(ErrSpawnerGone, err)
	case r.code == replyFailed:
		return opError(ops, r)
	case r.code != replySpawned || pidfd < 0:
		return fmt.Errorf("the spawner sent reply %d, want SPAWNED", r.code)
	}
	sb.pid, sb.pidfd = int(r.arg[0]), pidfd
	return nil
}

// worldWritable lists the directories below root, but for those in or below except, in which anybody may make files. It looks at every
// directory once: there are some thousands.
func worldWritable(root string, except []string) (list []string) {
	skip := map[string]bool{"/proc": true, "/sys": true}
	for _, dir := range except {
		skip[dir] = true
	}
	_ = filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		switch {
		case skip[path]:
			return filepath.SkipDir
		case err != nil || !d.IsDir():
			return nil //nolint:nilerr // what root can't read, nobody else made
		}
		var fs unix.Statfs_t
		if st, err := d.Info(); err == nil && st.Mode().Perm()&0o002 != 0 && unix.Statfs(path, &fs) == nil && fs.Flags&unix.ST_RDONLY == 0 {
			list = append(list, path)
		}
		return nil
	})
	return list
}
