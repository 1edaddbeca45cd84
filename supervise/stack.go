// SPDX-License-Identifier: Apache-2.0

package supervise

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/rs/zerolog"
)

// readyTimeout bounds the start of one child; Redis may have a long append-only file to read.
const readyTimeout = 60 * time.Second

// stack is the running children, in the order of their start.
type stack struct {
	log     zerolog.Logger
	starter *starter
	keepers []running
	fatal   chan error // a keeper gave up
}

// running is one keeper's goroutine.
type running struct {
	name string
	stop context.CancelFunc
	done chan struct{}
}

func newStack(log zerolog.Logger) *stack {
	return &stack{log: log, starter: newStarter(), fatal: make(chan error, 1)}
}

// start starts c, keeps it running, and returns when it is ready.
func (s *stack) start(ctx context.Context, c child) error {
	// Not below ctx: the end of ctx begins an ordered stop, it must not end all children at once.
	keepCtx, stop := context.WithCancel(context.WithoutCancel(ctx))
	r := running{name: c.name, stop: stop, done: make(chan struct{})}
	s.keepers = append(s.keepers, r)
	keep := &keeper{child: c, starter: s.starter, log: s.log}
	go func() {
		defer close(r.done)
		if err := keep.keep(keepCtx); err != nil {
			select {
			case s.fatal <- err:
			default: // another child's reason came first
			}
		}
	}()
	err := s.awaitReady(ctx, c)
	if err == nil {
		keep.wasReady.Store(true)
	}
	return err
}

// awaitReady asks c again and again whether it is ready, which costs less than it takes to start.
func (s *stack) awaitReady(ctx context.Context, c child) error {
	deadline, cancel := context.WithTimeout(ctx, readyTimeout)
	defer cancel()
	ticker := time.NewTicker(20 * time.Millisecond)
	defer ticker.Stop()
	for {
		err := c.ready(deadline)
		if err == nil {
			return nil
		}
		select {
		case fatal := <-s.fatal:
			return fatal
		case <-deadline.Done():
			if ctx.Err() != nil {
				return ctx.Err()
			}
			return fmt.Errorf("%s was not ready within %v: %w", c.name, readyTimeout, err)
		case <-ticker.C:
		}
	}
}

// wait returns nil when ctx ends, or the reason why the stack can't continue.
func (s *stack) wait(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return nil
	case err := <-s.fatal:
		return errors.Join(err, errors.New("the other parts are stopped too; the log above says more"))
	}
}

// stop stops the children one after the other, the last started first: no request comes in while work is handed back, and
// Redis is there until everybody has written.
func (s *stack) stop() {
	for i := len(s.keepers) - 1; i >= 0; i-- {
		s.keepers[i].stop()
		<-s.keepers[i].done
		s.log.Info().Str("child", s.keepers[i].name).Msg("child stopped")
	}
	s.starter.close()
}
