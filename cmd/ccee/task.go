// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/ccee-dev/ccee/daemon/client"
	"github.com/ccee-dev/ccee/task"

	"github.com/rs/zerolog"
	"github.com/urfave/cli/v3"
	"golang.org/x/sys/unix"
)

// taskToken is the variable with the token of the one job.
const taskToken = "CCEE_TASK_TOKEN"

func taskCommand() *cli.Command {
	return &cli.Command{
		Name:  "task",
		Usage: "run one job in an ECS task, for a worker with EXECUTION_BACKEND=ecs",
		Description: `Gets one job from the api, runs it on a daemon, gives back the result, and ends. The worker starts it (RunTask) with
` + taskToken + ` and CCEE_TASK_URL in the environment. SIGTERM, which ECS sends when it takes Spot capacity away: it says so at once,
and the job runs elsewhere.

It needs what the daemon needs, unless --socket names a daemon that runs.`,
		Flags: []cli.Flag{
			taskURLFlag(), logLevelFlag(), imagesFlag(), tierFlag(),
			stringFlag("ca", "CCEE_TASK_CA", "",
				"`FILE` with the certificate authorities (PEM) that may vouch for the api (default: the system's)"),
			stringFlag("socket", "CCEE_TASK_SOCKET", "", "`PATH` of the socket of a daemon that runs (default: start one)"),
			&cli.StringSliceFlag{Name: "daemon-flag", Usage: "`FLAG` for the daemon that is started; may be there more than once"},
		},
		Action: noArgs(runTask),
	}
}

func taskURLFlag() cli.Flag {
	return stringFlag("task-url", "CCEE_TASK_URL", "", "`URL` of the api as ECS tasks reach it, https://HOST[:PORT]")
}

func runTask(ctx context.Context, cmd *cli.Command) error {
	log := newLogger("task", cmd.String("log-level"))
	token := os.Getenv(taskToken)
	if err := errors.Join(os.Unsetenv(taskToken), hideEnvironment()); err != nil {
		return fmt.Errorf("hide the task's token: %w", err)
	}
	roots, err := certificates(cmd.String("ca"))
	if err != nil {
		return err
	}
	exchange, err := task.NewExchange(cmd.String("task-url"), token, roots)
	if err != nil {
		return usageError{fmt.Errorf("CCEE_TASK_URL and %s: %w", taskToken, err)}
	}
	d := &taskDaemon{socket: cmd.String("socket"), images: cmd.String("images"), tier: cmd.String("tier"),
		flags: cmd.StringSlice("daemon-flag"), log: log}
	defer d.stop()
	return task.Run(ctx, exchange, d.start, log)
}

// hideEnvironment makes /proc/PID/environ, which keeps the token, readable for root alone.
func hideEnvironment() error {
	return unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0)
}

// certificates reads a file of certificate authorities; nil for "".
func certificates(file string) (*x509.CertPool, error) {
	if file == "" {
		return nil, nil
	}
	pem, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("CCEE_TASK_CA: %w", err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		return nil, usageError{fmt.Errorf("CCEE_TASK_CA: %s has no certificate", file)}
	}
	return pool, nil
}

// taskDaemon is the daemon that runs a task's job.
type taskDaemon struct {
	socket, images, tier string
	flags                []string
	log                  zerolog.Logger

	dir   string // of a daemon of its own
	child *exec.Cmd
	ended chan struct{} // closed when the child has ended
}

// start starts the daemon unless one runs, and returns when it is ready.
func (d *taskDaemon) start(ctx context.Context) (task.Daemon, error) {
	if d.socket == "" {
		if err := d.spawn(); err != nil {
			return nil, err
		}
	}
	c := client.New(d.socket)
	for tick := time.NewTicker(20 * time.Millisecond); ; {
		err := c.Ready(ctx)
		if err == nil {
			tick.Stop()
			return c, nil
		}
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("%w: %w", context.Cause(ctx), err)
		case <-d.ended: // nil, so never, for a daemon that is not ours
			return nil, fmt.Errorf("it ended before it was ready (%v): %w", d.child.ProcessState, err)
		case <-tick.C:
		}
	}
}

func (d *taskDaemon) spawn() error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	if d.dir, err = os.MkdirTemp("", "ccee-task-"); err != nil {
		return err
	}
	d.socket = filepath.Join(d.dir, "daemon.sock")
	args := append([]string{"daemon", "--socket", d.socket, "--images", d.images, "--tier", d.tier, "--ready", "0", "--slots", "1"},
		d.flags...)
	d.child = exec.Command(self, args...)
	d.child.Stdout, d.child.Stderr = os.Stdout, os.Stderr
	d.child.Env = daemonEnvironment(os.Environ())
	d.child.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // a signal for the task is not one for the daemon: the job ends in order
	if err := d.child.Start(); err != nil {
		return err
	}
	d.ended = make(chan struct{})
	go func() { defer close(d.ended); _ = d.child.Wait() }()
	return nil
}

// stop ends a daemon of the task's own.
func (d *taskDaemon) stop() {
	if d.child == nil {
		return
	}
	_ = d.child.Process.Signal(syscall.SIGTERM)
	select {
	case <-d.ended:
	case <-time.After(5 * time.Second):
		_ = d.child.Process.Kill()
		<-d.ended
	}
	if err := os.RemoveAll(d.dir); err != nil {
		d.log.Warn().Err(err).Msg("a directory of the task's daemon stays")
	}
}

// daemonEnvironment returns what a task's daemon gets of its environment: the task's own settings and AWS's are none of its business.
func daemonEnvironment(environ []string) []string {
	var kept []string
	for _, entry := range environ {
		name, _, _ := strings.Cut(entry, "=")
		ours := strings.HasPrefix(name, "CCEE_") && !strings.HasPrefix(name, "CCEE_TASK_")
		switch name {
		case "PATH", "HOME", "TMPDIR", "LOG_LEVEL", "SSL_CERT_FILE", "SSL_CERT_DIR":
			ours = true
		}
		if ours {
			kept = append(kept, entry)
		}
	}
	return kept
}
