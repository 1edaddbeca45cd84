package main

import (
	"context"
	"fmt"
	"os/exec"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/rs/zerolog"
)

const (
	quickDeath     = 5 * time.Second // a child that lived shorter died quickly
	maxQuickDeaths = 5               // in a row, then the stack goes down
	firstBackoff   = 100 * time.Millisecond
	maxBackoff     = 5 * time.Second
	patientBackoff = 30 * time.Second // of a child that is started again for ever
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

	// patient: once it was ready, the others go on without it however often it dies, and it is started again for ever.
	patient bool
}

// keeper keeps one child running.
type keeper struct {
	child
	starter *starter
	log     zerolog.Logger
	wasUp   atomic.Bool // it was ready once
	words   words       // of a patient child
}

// keep starts the child again whenever it ends, until ctx ends; then it stops the child and returns nil. It gives up with an
// error when the child dies maxQuickDeaths times in a row soon after its start, unless it is a patient one.
func (k *keeper) keep(ctx context.Context) error {
	backoff, quick := firstBackoff, 0
	for {
		began := time.Now()
		err := k.once(ctx, quick > 0)
		if ctx.Err() != nil {
			return nil
		}
		patient := k.patient && k.wasUp.Load()
		if time.Since(began) > quickDeath {
			backoff, quick = firstBackoff, 0
		}
		if quick++; quick >= maxQuickDeaths && !patient {
			return fmt.Errorf("%s died %d times in a row within %v of its start, last with: %w", k.name, quick, quickDeath, err)
		}
		if k.words.died() || !patient || quick == 1 {
			k.log.Warn().Str("child", k.name).AnErr("end", err).Dur("restart_in_ms", backoff).Bool("others_go_on", patient).Msg("child died")
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(backoff):
		}
		longest := maxBackoff
		if patient {
			longest = patientBackoff
		}
		backoff = min(2*backoff, longest)
	}
}

// once runs the child until it ends or ctx does. The error says how it ended. again: it died soon after its last start.
func (k *keeper) once(ctx context.Context, again bool) error {
	if k.prepare != nil {
		k.run(k.prepare())
	}
	cmd := k.command()
	hold := again && k.patient && k.wasUp.Load()
	if hold {
		k.words.out = cmd.Stderr
		cmd.Stdout, cmd.Stderr, cmd.WaitDelay = &k.words, &k.words, time.Second
		defer time.AfterFunc(quickDeath, k.words.lived).Stop()
	}
	if err := k.starter.start(cmd, k.cred); err != nil {
		return fmt.Errorf("start %s: %w", k.name, err)
	}
	if !hold {
		k.log.Info().Str("child", k.name).Int("pid", cmd.Process.Pid).Msg("child started")
	}
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
