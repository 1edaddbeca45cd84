// SPDX-License-Identifier: Apache-2.0

package daemon

import (
	"context"
	"errors"
	"time"

	"github.com/ccee-dev/ccee/job"
	"github.com/ccee-dev/ccee/rootfs"
)

// checkTreesEvery is how often the trees of the languages on offer are checked: before a withdrawal ends, so that a damaged one stays
// withdrawn.
const checkTreesEvery = withdrawFor / 2

// keepChecking looks for damage of the images that are offered, at once and then now and again, until ctx ends.
func (s *Server) keepChecking(ctx context.Context) {
	for ctx.Err() == nil {
		s.checkTrees(ctx)
		t := time.NewTimer(checkTreesEvery)
		select {
		case <-ctx.Done():
		case <-t.C:
		}
		t.Stop()
	}
}

// checkTrees withdraws the languages whose tree is damaged, unless the tree could be removed and will be unpacked again.
func (s *Server) checkTrees(ctx context.Context) {
	t, err := s.languages.current(ctx)
	if err != nil || s.checkTree == nil {
		return
	}
	for _, image := range t.images {
		err := s.checkTree(ctx, image)
		switch fault := (*rootfs.TreeError)(nil); {
		case err == nil || ctx.Err() != nil:
		case errors.As(err, &fault) && fault.Removed:
			s.log.Error().Err(err).Msg("an image will be unpacked again")
		case fault != nil:
			s.languages.withdraw(image, err, withdrawFor)
		default:
			s.log.Warn().Err(err).Str("image", image.Name).Msg("an unpacked image can't be checked")
		}
	}
	_, _ = s.languages.current(ctx) // logs what is withdrawn
}

// Languages lists the languages on offer.
func (s *Server) Languages(ctx context.Context) ([]job.Language, error) {
	t, err := s.languages.current(ctx)
	if err != nil {
		return nil, err
	}
	return t.profiles(), nil
}

// Try runs a job for the daemon's own operator, without the socket.
func (s *Server) Try(ctx context.Context, spec job.Spec) (job.Result, error) {
	return s.run(ctx, spec, func(job.Event) error { return nil })
}

// LeaveOut withdraws a language of Languages until the daemon ends. why is for the warnings of GET /ready and the log.
func (s *Server) LeaveOut(l job.Language, why string) {
	s.languages.withdraw(rootfs.Image{Digest: l.Image}, errors.New(why), whileServing)
}

// Close ends a Server that never served, or no more.
func (s *Server) Close() error {
	s.wait()
	return s.close()
}
