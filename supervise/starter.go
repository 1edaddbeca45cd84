// SPDX-License-Identifier: Apache-2.0

package supervise

import (
	"os/exec"
	"runtime"
	"syscall"
)

// starter starts processes that die with ccee. PR_SET_PDEATHSIG fires when the *thread* that forked ends (prctl(2)), and Go
// ends threads when it likes, so one goroutine that keeps its thread does all the forking.
type starter struct{ requests chan func() }

func newStarter() *starter {
	s := &starter{requests: make(chan func())}
	go func() {
		runtime.LockOSThread()
		for f := range s.requests {
			f()
		}
	}()
	return s
}

// start starts cmd in a process group of its own, so that a Ctrl-C in the terminal reaches ccee alone, which then stops its
// children in order. SIGKILL, since everything here can be killed at any time; the daemon's sandboxes follow the daemon.
func (s *starter) start(cmd *exec.Cmd, cred *syscall.Credential) error {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL, Credential: cred}
	done := make(chan error)
	s.requests <- func() { done <- cmd.Start() }
	return <-done
}

// close ends the thread, and with it every child that still lives.
func (s *starter) close() { close(s.requests) }
