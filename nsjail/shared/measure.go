package shared

import (
	"bufio"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
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
}

// Outcome is what one abuse came to.
type Outcome struct {
	Abuse
	Refused string   // "EPERM": then nothing was measured
	Factors []Factor // of all that the canary does
}

// Harms says whether others were held up.
func (o Outcome) Harms() bool { return o.Worst().Harms() }

// Worst is the factor that tells most: one that harms, and of these the largest.
func (o Outcome) Worst() (worst Factor) {
	for _, f := range o.Factors {
		if f.Harms() != worst.Harms() {
			if f.Harms() {
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

// rounds are pairs of windows: the control, then the abuse, so that whatever else the machine does meets both. What seems to do harm is
// tried again, and harms only if it does so each time.
const (
	rounds = 3
	tries  = 3
)

// Try measures one abuse. An error is a fault of the host or of ours.
func Try(ctx context.Context, h Host, a Abuse) (o Outcome, err error) {
	c, err := newCanary(h.Root, h.Start)
	if err != nil {
		return o, fmt.Errorf("make the canary: %w", err)
	}
	defer c.close()
	for range tries {
		if o, err = h.compare(ctx, c, a); err != nil {
			return o, fmt.Errorf("try %s: %w", a.Name, err)
		}
		if !o.Harms() {
			break
		}
	}
	return o, nil
}

// compare measures some rounds.
func (h Host) compare(ctx context.Context, c *canary, a Abuse) (Outcome, error) {
	o := Outcome{Abuse: a}
	beside := map[bool]map[string][]time.Duration{false: {}, true: {}}
	for range rounds {
		for _, abuse := range []bool{false, true} {
			name := control
			if abuse {
				name = a.Name
			}
			times, refused, err := h.beside(ctx, c, name, a.Processes)
			if err != nil || refused != "" {
				o.Refused = refused
				return o, err
			}
			for what, t := range times {
				beside[abuse][what] = append(beside[abuse][what], t...)
			}
		}
	}
	for _, act := range c.does {
		o.Factors = append(o.Factors, newFactor(act.what, beside[true][act.what], beside[false][act.what]))
	}
	return o, nil
}

// beside watches the canary while a program goes on; refused says that it can't.
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
		err = fmt.Errorf("the program said %.100q", line)
	}
	cancel()
	return times, refused, errors.Join(err, <-ended)
}

// Begin only looks whether an abuse can be done: refused says why not.
func Begin(ctx context.Context, h Host, a Abuse) (refused string, err error) {
	_, refused, err = h.beside(ctx, &canary{}, a.Name, a.Processes)
	return refused, err
}
