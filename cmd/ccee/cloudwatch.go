// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"sync"

	"github.com/ccee-dev/ccee/cloud/cloudwatch"
	"github.com/ccee-dev/ccee/queue"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"
	"github.com/urfave/cli/v3"
)

// cloudFlags configure what an api does in AWS.
func cloudFlags() []cli.Flag {
	return append(append([]cli.Flag{stringFlag("aws-region", "AWS_REGION", "", "`NAME` of the AWS region")},
		cloudWatchFlags()...), replayTaskFlags()...)
}

// cloudWatchFlags configure the metrics of the queue in CloudWatch.
func cloudWatchFlags() []cli.Flag {
	return []cli.Flag{
		stringFlag("metric-namespace", "QUEUE_DEPTH_METRIC_NAMESPACE", "",
			"`NAMESPACE` in CloudWatch for the length of the queue, as CCEE (default: none is published)"),
		stringFlag("metric-name", "QUEUE_DEPTH_METRIC_NAME", "PendingJobsCount", "`NAME` of the metric with the number of unfinished jobs"),
		stringFlag("metric-scale-name", "QUEUE_DEPTH_SCALE_METRIC_NAME", "PendingJobsScaleSignal",
			"`NAME` of the metric for scaling: 0, or more than --queue-depth-target"),
		stringFlag("metric-service", "QUEUE_DEPTH_METRIC_SERVICE_NAME", "ccee-worker", "value of the metrics' dimension Service, `NAME`"),
		intFlag("metric-interval-ms", "QUEUE_DEPTH_PUBLISH_INTERVAL_MS", 30_000, 5_000, 300_000,
			"milliseconds between two publications; the first job of an idle queue is published at once"),
	}
}

// newPublisher returns the publisher of the queue's length; nil where no namespace is set.
func newPublisher(ctx context.Context, cmd *cli.Command, q *queue.Queue, log zerolog.Logger) (*cloudwatch.Publisher, error) {
	if cmd.String("metric-namespace") == "" {
		return nil, nil
	}
	return cloudwatch.New(ctx, q, cloudwatch.Options{
		Region: cmd.String("aws-region"), Namespace: cmd.String("metric-namespace"), CountName: cmd.String("metric-name"),
		SignalName: cmd.String("metric-scale-name"), Service: cmd.String("metric-service"), QueueName: cmd.String("queue-name"),
		Target: cmd.Int64("queue-depth-target"), Every: milliseconds(cmd, "metric-interval-ms"), Log: log,
	})
}

// startPublisher starts p, unless it is nil, until stop is called.
func startPublisher(ctx context.Context, p *cloudwatch.Publisher, r prometheus.Registerer) (stop func(), err error) {
	if p == nil {
		return func() {}, nil
	}
	if err := p.Register(r); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(ctx)
	var running sync.WaitGroup
	running.Go(func() { p.Run(ctx) })
	return func() { cancel(); running.Wait() }, nil
}
