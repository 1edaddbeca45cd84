// SPDX-License-Identifier: Apache-2.0

package supervise

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
	firstPause     = 100 * time.Millisecond
	longestPause   = 30 * time.Second // before a restart; only a child that is restarted for ever reaches it
)

// child says how to start one process of the stack.
type child struct {
	name    string
	prepare func() *exec.Cmd // nil, or a command that runs to its end before each start; a failure of it does not prevent the start
	command func() *exec.Cmd
	cred    *syscall.Credential // nil: as ccee itself
	ready   func(context.Context) error
	grace   time.Duration       // from SIGTERM to SIGKILL
	started func(pid int) error // nil, or what moves it to its place on the host; a failure of it does not stop the child

	// restartForever: once it was ready, the other children continue without it however often it dies.
	restartForever bool
}

// keeper keeps one child running.
type keeper struct {
	child
	starter  *starter
	log      zerolog.Logger
	wasReady atomic.Bool // once at least
	output   heldOutput  // of a child that is restarted for ever
}

// keep runs the child and restarts it whenever it ends, until ctx ends; then it stops the child and returns nil. It gives up with an
// error when the child dies maxQuickDeaths times in a row soon after its start, unless it is one that is restarted for ever.
func (k *keeper) keep(ctx context.Context) error { return k.restart(ctx, k.runOnce) }

// restart is keep with another way to run the child once; again: it died soon after its previous start.
func (k *keeper) restart(ctx context.Context, runOnce func(ctx context.Context, again bool) error) error {
	pause, quick := firstPause, 0
	for {
		began := time.Now()
		err := runOnce(ctx, quick > 0)
		if ctx.Err() != nil {
			return nil
		}
		forever := k.restartForever && k.wasReady.Load()
		if time.Since(began) > quickDeath {
			pause, quick = firstPause, 0
		}
		if quick++; quick >= maxQuickDeaths && !forever {
			return fmt.Errorf("%s died %d times in a row within %v of its start, last with: %w", k.name, quick, quickDeath, err)
		}
		if k.output.died() || !forever || quick == 1 {
			k.log.Warn().Str("child", k.name).AnErr("end", err).Dur("restart_in_ms", pause).Bool("others_continue", forever).Msg("child died")
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(pause):
		}
		pause = min(2*pause, longestPause)
	}
}

// runOnce runs the child until it ends or ctx does. The error says how it ended. again: it died soon after its previous start.
func (k *keeper) runOnce(ctx context.Context, again bool) error {
	if k.prepare != nil {
		k.runPreparation(k.prepare())
	}
	cmd := k.command()
	hold := again && k.restartForever && k.wasReady.Load()
	if hold {
		k.output.out = cmd.Stderr
		cmd.Stdout, cmd.Stderr, cmd.WaitDelay = &k.output, &k.output, time.Second
		defer time.AfterFunc(quickDeath, k.output.survived).Stop()
	}
	if err := k.starter.start(cmd, k.cred); err != nil {
		return fmt.Errorf("start %s: %w", k.name, err)
	}
	if !hold {
		k.log.Info().Str("child", k.name).Int("pid", cmd.Process.Pid).Msg("child started")
	}
	if k.started != nil {
		if err := k.started(cmd.Process.Pid); err != nil {
			k.log.Warn().Str("child", k.name).Err(err).Msg("child runs without its memory score or its cgroup")
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

// runPreparation runs the command that goes before a start; nil: there is none this time.
func (k *keeper) runPreparation(cmd *exec.Cmd) {
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
