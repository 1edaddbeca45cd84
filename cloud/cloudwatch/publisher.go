// SPDX-License-Identifier: Apache-2.0

package cloudwatch

import (
	"context"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"

	"github.com/ccee-dev/ccee/queue"
)

const (
	leastEvery = time.Second      // between two rounds, and between two questions to Redis
	restDown   = 5 * time.Second  // while Redis is unreachable
	handicap   = 2 * time.Second  // of a process whose last request failed: if another api's would not fail, that one takes the round
	putTimeout = 10 * time.Second // of one round, with the client's retries
)

// Options configure a Publisher. All must be set but Log.
type Options struct {
	Region     string        // AWS_REGION
	Namespace  string        // QUEUE_DEPTH_METRIC_NAMESPACE
	CountName  string        // QUEUE_DEPTH_METRIC_NAME: the metric with the number of unfinished jobs
	SignalName string        // QUEUE_DEPTH_SCALE_METRIC_NAME: the metric that alarms and policies follow
	Service    string        // QUEUE_DEPTH_METRIC_SERVICE_NAME: the dimension Service
	QueueName  string        // JOB_QUEUE_NAME: the dimension QueueName
	Target     int64         // QUEUE_DEPTH_TARGET: pending jobs at which autoscaling aims
	Every      time.Duration // QUEUE_DEPTH_PUBLISH_INTERVAL_MS: between two rounds
	Log        zerolog.Logger
}

// depthSource gives out rounds: a *queue.Queue.
type depthSource interface {
	TakeDepth(ctx context.Context, every, least time.Duration) (queue.DepthRound, error)
}

// Publisher publishes the length of a queue.
type Publisher struct {
	opts      Options
	queue     depthSource
	client    *cloudwatch.Client
	submitted chan struct{} // holds one signal: a job was submitted
	least     time.Duration // leastEvery; for tests

	rounds, failures prometheus.Counter
	redis, cloud     outage
	idle             bool      // what was published last is that nothing is pending
	asked            time.Time // when the queue was asked last
}

// New returns a Publisher; Run starts it. Credentials are found as the AWS SDK finds them, when they are needed: environment, shared
// files, the ECS task's role, the EC2 instance's role.
func New(ctx context.Context, q depthSource, o Options) (*Publisher, error) {
	if err := o.checkNames(); err != nil {
		return nil, err
	}
	if o.Region == "" || o.Every < leastEvery {
		return nil, fmt.Errorf("AWS_REGION is %q and the interval %v: metrics need a region and at least %v", o.Region, o.Every, leastEvery)
	}
	cfg, err := config.LoadDefaultConfig(ctx, config.WithRegion(o.Region))
	if err != nil {
		return nil, fmt.Errorf("read the configuration of AWS: %w", err)
	}
	return &Publisher{
		opts: o, queue: q, client: cloudwatch.NewFromConfig(cfg), submitted: make(chan struct{}, 1), least: leastEvery,
		rounds: prometheus.NewCounter(prometheus.CounterOpts{Name: "ccee_cloudwatch_rounds_total",
			Help: "Times that this process published the length of the queue to CloudWatch."}),
		failures: prometheus.NewCounter(prometheus.CounterOpts{Name: "ccee_cloudwatch_failures_total",
			Help: "Times that it could not: CloudWatch or Redis refused or was unreachable."}),
	}, nil
}

// Register registers p's metrics with r.
func (p *Publisher) Register(r prometheus.Registerer) error {
	for _, c := range []prometheus.Collector{p.rounds, p.failures} {
		if err := r.Register(c); err != nil {
			return fmt.Errorf("register the metrics of the CloudWatch publisher: %w", err)
		}
	}
	return nil
}

// Submitted is called with each submission. It never waits.
func (p *Publisher) Submitted() {
	select {
	case p.submitted <- struct{}{}:
	default:
	}
}

// Run publishes until ctx ends.
func (p *Publisher) Run(ctx context.Context) {
	for ctx.Err() == nil {
		p.asked = time.Now()
		p.wait(ctx, p.round(ctx))
	}
}

// round publishes if it is this process's turn, and returns how long to wait for the next turn.
func (p *Publisher) round(ctx context.Context) (next time.Duration) {
	r, err := p.queue.TakeDepth(ctx, p.opts.Every, p.least)
	if p.note(ctx, &p.redis, err) != nil {
		return restDown
	}
	p.idle = r.Idle
	if r.Mine && p.note(ctx, &p.cloud, p.put(ctx, r.Depth)) == nil {
		p.rounds.Inc()
	}
	if p.cloud.down {
		return r.Next + handicap
	}
	return r.Next
}

func (p *Publisher) put(ctx context.Context, d queue.Depth) error {
	ctx, cancel := context.WithTimeout(ctx, putTimeout)
	defer cancel()
	request := &cloudwatch.PutMetricDataInput{Namespace: aws.String(p.opts.Namespace), MetricData: data(p.opts, d)}
	_, err := p.client.PutMetricData(ctx, request)
	return err
}

// outage is whether something failed the last time.
type outage struct{ down bool }

// note counts an error of either kind, logs an outage of that kind when it begins and when it ends, and returns the error. What the end of
// ctx causes is none.
func (p *Publisher) note(ctx context.Context, o *outage, err error) error {
	switch {
	case ctx.Err() != nil:
	case err != nil:
		p.failures.Inc()
		if !o.down {
			p.opts.Log.Warn().Err(err).Msg("the length of the queue is not published to CloudWatch; trying again")
		}
		o.down = true
	case o.down:
		p.opts.Log.Info().Msg("the length of the queue is published to CloudWatch again")
		o.down = false
	}
	return err
}

// wait returns when d is over, or a job came to an idle queue, but not before p.least is over since the queue was asked.
func (p *Publisher) wait(ctx context.Context, d time.Duration) {
	var submitted chan struct{}
	if p.idle {
		submitted = p.submitted
	}
	select {
	case <-ctx.Done():
	case <-time.After(d):
	case <-submitted:
	}
	select {
	case <-ctx.Done():
	case <-time.After(time.Until(p.asked.Add(p.least))):
	}
}
