// SPDX-License-Identifier: Apache-2.0

package worker

import (
	"cmp"
	"context"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"

	"github.com/ccee-dev/ccee/queue"
)

// w3c reads and writes a trace as traceparent (https://www.w3.org/TR/trace-context/).
var w3c = propagation.TraceContext{}

// startSpan begins the span of one attempt, a child of the request that submitted the job, and puts it into the job for the backend.
func (w *Worker) startSpan(ctx context.Context, l *queue.Lease) (context.Context, trace.Span) {
	ctx = w3c.Extract(ctx, propagation.MapCarrier{"traceparent": l.Job.TraceParent})
	ctx, span := w.tracer.Start(ctx, "worker.process_job", trace.WithSpanKind(trace.SpanKindConsumer), trace.WithAttributes(
		attribute.String("ccee.trace_id", l.TraceID), attribute.String("ccee.job_id", l.Job.ID), attribute.String("ccee.tenant_id", l.Job.Tenant),
		attribute.String("ccee.language", l.Job.Language), attribute.String("ccee.execution_backend", cmp.Or(w.opts.Backend, "local")),
		attribute.Int("ccee.attempt", l.Attempt),
		attribute.String("messaging.system", "redis"), attribute.String("messaging.operation", "process"), attribute.String("messaging.message.id", l.Job.ID)))
	carrier := propagation.MapCarrier{}
	w3c.Inject(ctx, carrier)
	l.Job.TraceParent = carrier["traceparent"]
	return ctx, span
}

// endSpan ends the span with how the attempt ended.
func endSpan(span trace.Span, d decision, e ending) {
	if !span.IsRecording() {
		span.End()
		return
	}
	span.SetAttributes(attribute.String("ccee.job_status", e.state))
	if d.action == complete {
		span.SetAttributes(attribute.String("ccee.verdict", string(d.result.Verdict)), attribute.Float64("ccee.duration_ms", d.result.WallMs))
		if d.result.ExitCode != nil {
			span.SetAttributes(attribute.Int("ccee.exit_code", *d.result.ExitCode))
		}
	}
	if d.fault.Cause != "" {
		span.SetAttributes(attribute.String("ccee.error", d.fault.Cause))
		span.SetStatus(codes.Error, d.fault.Message)
	}
	if e.err != nil {
		span.RecordError(e.err)
	}
	span.End()
}
