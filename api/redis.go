// SPDX-License-Identifier: Apache-2.0

package api

import (
	"context"
	"time"
)

// warnOfRedis logs the dangerous settings of Redis once it answers.
func (s *Server) warnOfRedis(ctx context.Context) {
	for ctx.Err() == nil {
		m, err := s.opts.Queue.Memory(ctx)
		if err != nil {
			pause(ctx, time.Second)
			continue
		}
		if risk := m.Risk(); risk != "" {
			s.opts.Log.Warn().Str("risk", risk).Msg("redis is not set up for this: jobs may be lost")
		}
		return
	}
}
