// SPDX-License-Identifier: Apache-2.0

package ecsedge

import (
	"errors"
	"io"
	"os"
	"os/exec"
	"syscall"
)

// Processes returns an Options.Start that runs each container as a process of this host: program with the container's command. It gets the
// container's environment and PATH, nothing else of ours. Its output goes to out.
func Processes(program string, out io.Writer) func(Launch) (Process, error) {
	return func(l Launch) (Process, error) {
		cmd := exec.Command(program, l.Command...)
		cmd.Env = []string{"PATH=" + os.Getenv("PATH")}
		for name, value := range l.Env {
			cmd.Env = append(cmd.Env, name+"="+value)
		}
		cmd.Stdout, cmd.Stderr = out, out
		cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
		return process{cmd}, cmd.Start()
	}
}

// process is a child in a process group of its own. Signals go to it alone, as to a container's first process; SIGKILL ends the group, as
// with a container.
type process struct{ cmd *exec.Cmd }

func (p process) Signal(s os.Signal) error {
	if s == syscall.SIGKILL {
		return syscall.Kill(-p.cmd.Process.Pid, syscall.SIGKILL)
	}
	return p.cmd.Process.Signal(s)
}

func (p process) Wait() int {
	err := p.cmd.Wait()
	_ = syscall.Kill(-p.cmd.Process.Pid, syscall.SIGKILL) // what it left behind
	var e *exec.ExitError
	if errors.As(err, &e) {
		if status, ok := e.Sys().(syscall.WaitStatus); ok && status.Signaled() {
			return 128 + int(status.Signal())
		}
		return e.ExitCode()
	}
	return 0
}
