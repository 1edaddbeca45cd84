// SPDX-License-Identifier: Apache-2.0

package submit

import (
	"context"
	"time"

	"github.com/ccee-dev/ccee/queue"
)

// MaxWait bounds how long a caller may wait for a job.
const MaxWait = 30 * time.Second

// Wait returns a tenant's job when it is finished, or as it is after longest, or when the service drains. A large job comes without its
// output (queue.Record.Large), so that the caller can make room for it first. The error is the queue's.
func (s *Service) Wait(ctx context.Context, tenant, id string, longest time.Duration) (queue.Record, error) {
	if longest > 0 {
		waiting, cancel := context.WithTimeout(ctx, min(longest, MaxWait))
		defer cancel()
		defer context.AfterFunc(s.opts.Draining, cancel)()
		if rec, err := s.opts.Queue.Wait(waiting, tenant, id); err == nil || waiting.Err() == nil {
			return rec, err
		}
	}
	ctx, cancel := context.WithTimeout(ctx, s.opts.Timeout)
	defer cancel()
	return s.opts.Queue.Look(ctx, tenant, id)
}
