// SPDX-License-Identifier: Apache-2.0

package api

import (
	"net/http"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
)

// w3c carries a trace on as traceparent (https://www.w3.org/TR/trace-context/).
var w3c = propagation.TraceContext{}

// startSpan begins the request's span, as a child of the caller's if it brings one.
func (s *Server) startSpan(c *call) {
	ctx := w3c.Extract(c.r.Context(), propagation.HeaderCarrier(c.r.Header))
	name := c.route
	if name == "" {
		name = "unknown route"
	}
	ctx, c.span = s.tracer.Start(ctx, c.r.Method+" "+name, trace.WithSpanKind(trace.SpanKindServer), trace.WithTimestamp(c.start))
	c.r = c.r.WithContext(ctx)
}

// endSpan ends the span with the attributes that are known by then.
func (c *call) endSpan() {
	if c.span.IsRecording() {
		c.span.SetAttributes(
			attribute.String("ccee.trace_id", c.trace), attribute.String("http.request.method", c.r.Method), attribute.String("url.path", c.r.URL.Path),
			attribute.String("ccee.tenant_id", c.who.Tenant), attribute.String("ccee.subject", c.who.Subject),
			attribute.Int("http.response.status_code", c.status), attribute.String("http.route", c.route),
			attribute.Int64("ccee.duration_ms", time.Since(c.start).Milliseconds()))
		if c.status >= http.StatusInternalServerError {
			c.span.SetStatus(codes.Error, http.StatusText(c.status))
		}
	}
	c.span.End()
}

// traceParent returns the traceparent for a job, so that its worker's spans become children of the request's.
func (c *call) traceParent() string {
	carrier := propagation.MapCarrier{}
	w3c.Inject(c.r.Context(), carrier)
	return carrier["traceparent"]
}
