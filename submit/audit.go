// SPDX-License-Identifier: Apache-2.0

package submit

import "context"

// auditFailure notes a submission that the queue could not take; what it refuses by itself it notes in the same step.
func (s *Service) auditFailure(ctx context.Context, who Principal, from Origin, err error) {
	if CodeOf(err) == Unavailable {
		s.audit(ctx, who, from, "job_submission_failed", map[string]any{"error": string(Unavailable)})
	}
}

// audit notes a refusal in the tenant's audit. That it can't is logged and changes nothing: Redis is unreachable, and so is the audit.
func (s *Service) audit(ctx context.Context, who Principal, from Origin, action string, metadata map[string]any) {
	// The caller may have left: what it did is noted all the same.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.opts.Timeout)
	defer cancel()
	metadata["traceId"] = from.TraceID
	if err := s.opts.Queue.Audit(ctx, who.Tenant, action, "", metadata); err != nil {
		s.opts.Log.Error().Err(err).Str("traceId", from.TraceID).Str("action", action).Msg("audit")
	}
}
