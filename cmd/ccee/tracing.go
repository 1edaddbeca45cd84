// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/urfave/cli/v3"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/sdk/resource"
	sdk "go.opentelemetry.io/otel/sdk/trace"
	semconv "go.opentelemetry.io/otel/semconv/v1.26.0"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"
)

// tracingFlags configure OpenTelemetry.
func tracingFlags(service string) []cli.Flag {
	return []cli.Flag{
		&cli.BoolFlag{Name: "otel", Sources: cli.EnvVars("OTEL_ENABLED"), Usage: "send traces to OTEL_EXPORTER_OTLP_ENDPOINT"},
		stringFlag("otel-service", "OTEL_SERVICE_NAME", service, "`NAME` of this service in traces"),
		stringFlag("otel-endpoint", "OTEL_EXPORTER_OTLP_ENDPOINT", "", "`URL` of an OTLP/HTTP collector, its path included: http://HOST:4318/v1/traces"),
	}
}

// newTracing returns the provider of tracers; without --otel spans cost next to nothing. Spans are sent in the background and dropped
// when the collector is unreachable, so tracing delays no request and no job. stop sends the spans that are left.
func newTracing(ctx context.Context, cmd *cli.Command) (tracer trace.TracerProvider, stop func(), err error) {
	if !cmd.Bool("otel") {
		return noop.NewTracerProvider(), func() {}, nil
	}
	endpoint := cmd.String("otel-endpoint")
	if endpoint == "" {
		return nil, nil, usageError{errors.New("OTEL_ENABLED is set, so OTEL_EXPORTER_OTLP_ENDPOINT must be: http://HOST:4318/v1/traces")}
	}
	exporter, err := otlptracehttp.New(ctx, otlptracehttp.WithEndpointURL(endpoint), otlptracehttp.WithTimeout(5*time.Second))
	if err != nil {
		return nil, nil, fmt.Errorf("OTEL_EXPORTER_OTLP_ENDPOINT: %w", err)
	}
	p := sdk.NewTracerProvider(sdk.WithBatcher(exporter),
		sdk.WithResource(resource.NewSchemaless(semconv.ServiceName(cmd.String("otel-service")), semconv.ServiceVersion(version))))
	return p, func() {
		last, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
		defer cancel()
		_ = p.Shutdown(last)
	}, nil
}
