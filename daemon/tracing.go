// SPDX-License-Identifier: Apache-2.0

package daemon

import (
	"context"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"

	"github.com/ccee-dev/ccee/job"
)

// tracer starts the spans of jobs.
func (o *Options) tracer() trace.Tracer {
	if o.Trace == nil {
		return noop.NewTracerProvider().Tracer("")
	}
	return o.Trace.Tracer("ccee-daemon")
}

// startSpan begins the span of a job, as a child of its worker's (https://www.w3.org/TR/trace-context/).
func (r *Runner) startSpan(ctx context.Context, spec *job.Spec) (context.Context, trace.Span) {
	ctx = propagation.TraceContext{}.Extract(ctx, propagation.MapCarrier{"traceparent": spec.TraceParent})
	return r.tracer.Start(ctx, "daemon.run_job", trace.WithSpanKind(trace.SpanKindServer),
		trace.WithAttributes(attribute.String("ccee.job_id", spec.ID), attribute.String("ccee.tenant_id", spec.Tenant)))
}

// span begins the span of a part of a job.
func (r *Runner) span(ctx context.Context, name string) trace.Span {
	_, span := r.tracer.Start(ctx, "daemon."+name)
	return span
}
