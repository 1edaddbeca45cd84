package main

import (
	"context"
	"fmt"
	"os/exec"
	"syscall"
	"time"

	"github.com/rs/zerolog"
)

const (
	quickDeath     = 5 * time.Second // a child that lived shorter died quickly
	maxQuickDeaths = 5               // in a row, then the stack goes down
	firstBackoff   = 100 * time.Millisecond
	maxBackoff     = 5 * time.Second
)

// child says how to start one process of the stack.
type child struct {
	name    string
	prepare func() *exec.Cmd // nil, or what runs to its end before each start; that it fails is no reason not to start
	command func() *exec.Cmd
	cred    *syscall.Credential // nil: as ccee itself
	ready   func(context.Context) error
	grace   time.Duration       // from SIGTERM to SIGKILL
	started func(pid int) error // nil, or what makes its place on the host; that it fails is no reason to stop it
}

// keeper keeps one child running.
type keeper struct {
	child
	starter *starter
	log     zerolog.Logger
}

// keep starts the child again whenever it ends, until ctx ends; then it stops the child and returns nil. It gives up with an
// error when the child dies maxQuickDeaths times in a row soon after its start.
func (k *keeper) keep(ctx context.Context) error {
	backoff, quick := firstBackoff, 0
	for {
		began := time.Now()
		err := k.once(ctx)
		if ctx.Err() != nil {
			return nil
		}
		if time.Since(began) > quickDeath {
			backoff, quick = firstBackoff, 0
		}
		if quick++; quick >= maxQuickDeaths {
			return fmt.Errorf("%s died %d times in a row within %v of its start, last with: %w", k.name, quick, quickDeath, err)
		}
		k.log.Warn().Str("child", k.name).AnErr("end", err).Dur("restart_in_ms", backoff).Msg("child died")
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(backoff):
		}
		backoff = min(2*backoff, maxBackoff)
	}
}

// once runs the child until it ends or ctx does. The error says how it ended.
func (k *keeper) once(ctx context.Context) error {
	if k.prepare != nil {
		k.run(k.prepare())
	}
	cmd := k.command()
	if err := k.starter.start(cmd, k.cred); err != nil {
		return fmt.Errorf("start %s: %w", k.name, err)
	}
	k.log.Info().Str("child", k.name).Int("pid", cmd.Process.Pid).Msg("child started")
	if k.started != nil {
		if err := k.started(cmd.Process.Pid); err != nil {
			k.log.Warn().Str("child", k.name).Err(err).Msg("child has not got its place")
		}
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	select {
	case err := <-ended:
		return endOf(err)
	case <-ctx.Done():
	}
	_ = cmd.Process.Signal(syscall.SIGTERM) // it may have ended just now
	select {
	case err := <-ended:
		return endOf(err)
	case <-time.After(k.grace):
		k.log.Warn().Str("child", k.name).Dur("grace_ms", k.grace).Msg("child did not end in time and is killed")
		_ = cmd.Process.Kill()
		return endOf(<-ended)
	}
}

// run runs what goes before a start; nil is nothing.
func (k *keeper) run(cmd *exec.Cmd) {
	if cmd == nil {
		return
	}
	err := k.starter.start(cmd, k.cred)
	if err == nil {
		err = cmd.Wait()
	}
	if err != nil {
		k.log.Warn().Str("child", k.name).Err(err).Strs("command", cmd.Args).Msg("preparation failed")
	}
}

// endOf makes an error of an exit with 0 too: children are not meant to end.
func endOf(err error) error {
	if err == nil {
		return fmt.Errorf("exit status 0")
	}
	return err
}
