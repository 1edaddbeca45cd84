// SPDX-License-Identifier: Apache-2.0

package daemon

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/ccee-dev/ccee/nsjail"
)

// spawner keeps an nsjail.Spawner, and starts another when that one has died. The jobs of the dead one are lost, but not the next job.
type spawner struct {
	start func() (*nsjail.Spawner, error)

	mu      sync.Mutex // guards current
	current *nsjail.Spawner
}

func newSpawner(cgroups *nsjail.Cgroups, roots ...string) (*spawner, error) {
	start := func() (*nsjail.Spawner, error) { return nsjail.NewSpawner(cgroups, roots...) }
	current, err := start()
	if err != nil {
		return nil, err
	}
	return &spawner{start: start, current: current}, nil
}

// new builds a sandbox.
func (s *spawner) new(ctx context.Context, cfg nsjail.Config) (sandbox, error) {
	used := s.get()
	sb, err := used.New(ctx, cfg)
	if errors.Is(err, nsjail.ErrSpawnerGone) {
		if used, err = s.replace(used); err != nil {
			return nil, fmt.Errorf("replace the spawner: %w", err)
		}
		sb, err = used.New(ctx, cfg)
	}
	if err != nil {
		return nil, err // not sb: a nil *nsjail.Sandbox in the interface isn't nil
	}
	return sb, nil
}

func (s *spawner) get() *nsjail.Spawner {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.current
}

// ready returns why no sandbox can be made. It replaces a spawner that has died.
func (s *spawner) ready() error {
	used := s.get()
	select {
	case <-used.Done():
		if _, err := s.replace(used); err != nil {
			return fmt.Errorf("replace the spawner: %w", err)
		}
	default:
	}
	return nil
}

// replace replaces the spawner dead by a new one, unless another job has done so already.
func (s *spawner) replace(dead *nsjail.Spawner) (*nsjail.Spawner, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.current != dead {
		return s.current, nil
	}
	next, err := s.start()
	if err != nil {
		return nil, err
	}
	dead.Close() // it is dead already; this waits for it and closes its socket
	s.current = next
	return next, nil
}

func (s *spawner) close() error { return s.get().Close() }
