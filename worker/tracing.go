package worker

import (
	"context"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"

	"github.com/ccee-dev/ccee/queue"
)

// w3c carries a trace on as traceparent (https://www.w3.org/TR/trace-context/).
var w3c = propagation.TraceContext{}

// startSpan begins the span of one attempt, as a child of the request that submitted the job, and has the job take it along to the
// backend.
func (w *Worker) startSpan(ctx context.Context, l *queue.Lease) (context.Context, trace.Span) {
	ctx = w3c.Extract(ctx, propagation.MapCarrier{"traceparent": l.Job.TraceParent})
	ctx, span := w.tracer.Start(ctx, "worker.process_job", trace.WithSpanKind(trace.SpanKindConsumer), trace.WithAttributes(
		attribute.String("ccee.trace_id", l.TraceID), attribute.String("ccee.job_id", l.Job.ID), attribute.String("ccee.tenant_id", l.Job.Tenant),
		attribute.String("ccee.language", l.Job.Language), attribute.String("ccee.execution_backend", "local"), attribute.Int("ccee.attempt", l.Attempt),
		attribute.String("messaging.system", "redis"), attribute.String("messaging.operation", "process"), attribute.String("messaging.message.id", l.Job.ID)))
	carrier := propagation.MapCarrier{}
	w3c.Inject(ctx, carrier)
	l.Job.TraceParent = carrier["traceparent"]
	return ctx, span
}

// endSpan ends it with what became of the attempt.
func endSpan(span trace.Span, v verdict, s settled) {
	if !span.IsRecording() {
		span.End()
		return
	}
	span.SetAttributes(attribute.String("ccee.job_status", s.state))
	if v.do == complete {
		span.SetAttributes(attribute.String("ccee.verdict", string(v.result.Verdict)), attribute.Float64("ccee.duration_ms", v.result.WallMs))
		if v.result.ExitCode != nil {
			span.SetAttributes(attribute.Int("ccee.exit_code", *v.result.ExitCode))
		}
	}
	if v.fault.Cause != "" {
		span.SetAttributes(attribute.String("ccee.error", v.fault.Cause))
		span.SetStatus(codes.Error, v.fault.Message)
	}
	if s.err != nil {
		span.RecordError(s.err)
	}
	span.End()
}
