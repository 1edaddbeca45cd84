// SPDX-License-Identifier: Apache-2.0

package submit

import (
	"context"

	"github.com/ccee-dev/ccee/queue"
)

// Stored finds what a tenant's job was submitted with: the queue, or an archive of finished jobs. A job that is not the tenant's is
// queue.ErrNotFound.
type Stored interface {
	Submitted(ctx context.Context, tenant, id string) (queue.Submission, error)
}

// Rerun submits once more what a job was submitted with, under today's quotas and windows; its sizes were accepted before. The error is a
// *Refusal, NotFound if the principal's tenant has no such job.
func (s *Service) Rerun(ctx context.Context, who Principal, from Origin, stored Stored, id string) (queue.Admission, error) {
	before, err := stored.Submitted(ctx, who.Tenant, id)
	if err != nil {
		return queue.Admission{}, refuse(err)
	}
	sub := Submission{Spec: before.Spec, Request: before.Request, Priority: before.Priority, Webhook: before.Webhook}
	sub.Spec.Attempt = 0
	a, err := s.admit(ctx, who, from, sub)
	s.auditFailure(ctx, who, from, err)
	return a, err
}
