// SPDX-License-Identifier: Apache-2.0

package submit

import (
	"context"
	"fmt"

	"github.com/ccee-dev/ccee/queue"
)

// Outcome is the end of one submission of a batch.
type Outcome struct {
	Admission queue.Admission
	Err       error // a *Refusal, or nil
}

// Batch puts several jobs on the queue, each admitted or refused by itself. key and digest are those of the whole batch: repeated under
// the same key, the jobs that were admitted are given back and not run again. The error is a *Refusal of the batch as a whole, because a
// job is too large; then none was admitted.
func (s *Service) Batch(ctx context.Context, who Principal, from Origin, subs []Submission, key, digest string) ([]Outcome, error) {
	for i, sub := range subs {
		if big := s.oversize(sub); big != nil {
			big.Index = i
			return nil, &Refusal{Code: TooLarge, Size: big}
		}
	}
	outcomes := make([]Outcome, len(subs))
	for i, sub := range subs {
		if key != "" {
			sub.Key, sub.Digest = fmt.Sprintf("%s batch %d", key, i), digest
		}
		outcomes[i].Admission, outcomes[i].Err = s.admit(ctx, who, from, sub)
	}
	return outcomes, nil
}
