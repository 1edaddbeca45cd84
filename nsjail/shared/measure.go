// SPDX-License-Identifier: Apache-2.0

package shared

import (
	"bufio"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// Host is what abuses are tried on.
type Host struct {
	// Run runs a program in a sandbox with a job's limits and hands its output on, until ctx ends.
	Run func(ctx context.Context, args []string, stdout io.Writer) error
	// Start makes a sandbox, runs Nothing in it and removes it.
	Start func(ctx context.Context) error
	// Root is that of the sandboxes. It is on the disk of the images and has MakeDisk's file.
	Root    string
	Program string        // the path of this binary in a sandbox
	Window  time.Duration // how long the canary is watched each time
	Bounds  Bounds        // above which an abuse does harm
}

// Outcome is the result of one abuse.
type Outcome struct {
	Abuse
	Refused string   // "EPERM": then nothing was measured
	Factors []Factor // of all that the canary does
}

// Harms reports whether others were delayed.
func (o Outcome) Harms() bool { return o.Worst().Harms }

// Worst returns the most telling factor: one that does harm, and of these the largest.
func (o Outcome) Worst() (worst Factor) {
	for _, f := range o.Factors {
		if f.Harms != worst.Harms {
			if f.Harms {
				worst = f
			}
		} else if max(f.MedianRatio(), f.P99Ratio()) > max(worst.MedianRatio(), worst.P99Ratio()) || worst.What == "" {
			worst = f
		}
	}
	return worst
}

// MakeDisk makes, in a root, the file that abuses of the disk read.
func MakeDisk(root string) error {
	f, err := os.OpenFile(filepath.Join(root, diskFile), os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o644)
	if err != nil {
		return err
	}
	_, err = io.CopyN(f, rand.Reader, diskBytes) // what compresses would not all be read
	return errors.Join(err, f.Sync(), f.Close())
}

// A round is two windows, one beside the control and one beside the abuse, so that whatever else the host does meets both. After so many
// rounds, an abuse that seems to do harm is measured for as many again, and does harm only if all windows together show it.
const (
	rounds = 5
	tries  = 3
)

// Try measures one abuse. An error is a fault of the host or of ours.
func Try(ctx context.Context, h Host, a Abuse) (o Outcome, err error) {
	if err := h.Bounds.Check(); err != nil {
		return o, err
	}
	c, err := newCanary(h.Root, h.Start)
	if err != nil {
		return o, fmt.Errorf("make the canary: %w", err)
	}
	defer c.close()
	return decide(a, h.Bounds, func(abuse bool) (map[string][]time.Duration, string, error) {
		if !abuse {
			return h.beside(ctx, c, control, a.Processes)
		}
		return h.beside(ctx, c, a.Name, a.Processes)
	})
}

// decide measures windows until the outcome is clear. watch returns the times of one window by what the canary does, or why the program
// can't run.
func decide(a Abuse, b Bounds, watch func(abuse bool) (map[string][]time.Duration, string, error)) (Outcome, error) {
	o := Outcome{Abuse: a}
	seen := map[bool]map[string][]window{false: {}, true: {}}
	for round := range tries * rounds {
		for _, abuse := range []bool{round%2 == 1, round%2 == 0} { // in turns, so that a load that grows or falls favours neither
			times, refused, err := watch(abuse)
			if err != nil {
				return o, fmt.Errorf("try %s: %w", a.Name, err)
			}
			if refused != "" {
				o.Refused = refused
				return o, nil
			}
			for what, t := range times {
				seen[abuse][what] = append(seen[abuse][what], newWindow(t))
			}
		}
		if (round+1)%rounds != 0 {
			continue
		}
		o.Factors = nil
		for _, what := range slices.Sorted(maps.Keys(seen[false])) {
			o.Factors = append(o.Factors, newFactor(what, seen[true][what], seen[false][what], b))
		}
		if !o.Harms() {
			break
		}
	}
	return o, nil
}

// beside watches the canary while a program runs; refused is the reason why that can't.
func (h Host) beside(ctx context.Context, c *canary, name string, processes int) (times map[string][]time.Duration, refused string, err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	out, in := io.Pipe()
	ended := make(chan error, 1)
	go func() {
		err := h.Run(ctx, args(h.Program, name, processes), in)
		in.CloseWithError(io.EOF)
		ended <- err
	}()
	line, err := bufio.NewReader(out).ReadString('\n')
	line = strings.TrimSpace(line)
	go func() { _, _ = io.Copy(io.Discard, out) }()
	switch reason, isRefused := strings.CutPrefix(line, "refused: "); {
	case isRefused:
		refused = reason
	case line == "ready":
		times, err = c.watch(ctx, h.Window)
	case err != nil:
		err = fmt.Errorf("the program ended before it began: %w", err)
	default:
		err = fmt.Errorf("the program wrote %.100q", line)
	}
	cancel()
	return times, refused, errors.Join(err, <-ended)
}

// Begin only checks whether an abuse is possible; refused is the reason why not. Tests call it, which can't wait for measurements.
func Begin(ctx context.Context, h Host, a Abuse) (refused string, err error) {
	_, refused, err = h.beside(ctx, &canary{}, a.Name, a.Processes)
	return refused, err
}
