// SPDX-License-Identifier: Apache-2.0

package cloudwatch

import (
	"strings"
	"testing"
	"time"

	"github.com/ccee-dev/ccee/queue"
)

// The contract's signal: 0, or more than the target.
func TestSignal(t *testing.T) {
	for _, tt := range []struct{ pending, target, want int64 }{
		{0, 25, 0}, {-1, 25, 0}, {1, 25, 26}, {25, 25, 26}, {26, 25, 26}, {27, 25, 27}, {250, 25, 250}, {1, 1, 2}, {1, 0, 2}, {2, 0, 2},
	} {
		if got := signal(tt.pending, tt.target); got != tt.want {
			t.Errorf("signal(%d, %d) = %d, want %d", tt.pending, tt.target, got, tt.want)
		}
	}
}

func TestBacklog(t *testing.T) {
	for _, tt := range []struct {
		name string
		d    queue.Depth
		want float64
	}{
		{"nothing", queue.Depth{}, 0},
		{"no worker", queue.Depth{Pending: 7, Waiting: 7, Stuck: 7}, 7},
		{"shared by the workers", queue.Depth{Pending: 90, Waiting: 10, Workers: 4, Ready: 4}, 2.5},
		{"jobs that run don't wait", queue.Depth{Pending: 8, Workers: 2, Ready: 2}, 0},
		{"jobs that no such worker takes", queue.Depth{Pending: 9, Waiting: 9, Stuck: 5, Workers: 2, Ready: 1}, 2},
		{"workers that start", queue.Depth{Pending: 9, Waiting: 9, Stuck: 9, Workers: 3}, 3},
	} {
		if got := backlog(tt.d); got != tt.want {
			t.Errorf("%s: %v, want %v", tt.name, got, tt.want)
		}
	}
}

func options() Options {
	return Options{Region: "eu-central-1", Namespace: "CCEE", CountName: "PendingJobsCount", SignalName: "PendingJobsScaleSignal",
		Service: "ccee-worker", QueueName: "code-jobs", Target: 25, Every: 30 * time.Second}
}

// A name that CloudWatch would refuse with each request is refused at the start, by the name of its setting.
func TestNames(t *testing.T) {
	if err := options().checkNames(); err != nil {
		t.Error(err)
	}
	for _, tt := range []struct {
		change func(*Options)
		want   string
	}{
		{func(o *Options) { o.Namespace = "" }, "QUEUE_DEPTH_METRIC_NAMESPACE"},
		{func(o *Options) { o.Namespace = "AWS/ECS" }, "QUEUE_DEPTH_METRIC_NAMESPACE"},
		{func(o *Options) { o.Namespace = strings.Repeat("n", 256) }, "QUEUE_DEPTH_METRIC_NAMESPACE"},
		{func(o *Options) { o.CountName = ":x" }, "QUEUE_DEPTH_METRIC_NAME"},
		{func(o *Options) { o.CountName = "BacklogPerWorker" }, "QUEUE_DEPTH_METRIC_NAME"},
		{func(o *Options) { o.SignalName = " " }, "QUEUE_DEPTH_SCALE_METRIC_NAME"},
		{func(o *Options) { o.SignalName = o.CountName }, "QUEUE_DEPTH_SCALE_METRIC_NAME"},
		{func(o *Options) { o.Service = "wörker" }, "QUEUE_DEPTH_METRIC_SERVICE_NAME"},
		{func(o *Options) { o.QueueName = "a\nb" }, "JOB_QUEUE_NAME"},
		{func(o *Options) { o.QueueName = strings.Repeat("q", 1025) }, "JOB_QUEUE_NAME"},
	} {
		o := options()
		tt.change(&o)
		if err := o.checkNames(); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%+v: %v, want an error about %s", o, err, tt.want)
		}
	}
	o := options()
	o.Region = ""
	if _, err := New(t.Context(), nil, o); err == nil || !strings.Contains(err.Error(), "AWS_REGION") {
		t.Errorf("no region: %v", err)
	}
}
