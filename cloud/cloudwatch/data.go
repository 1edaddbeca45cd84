// SPDX-License-Identifier: Apache-2.0

package cloudwatch

import (
	"fmt"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"

	"github.com/ccee-dev/ccee/queue"
)

// backlogName is the metric for target tracking: AWS's "backlog per instance".
const backlogName = "BacklogPerWorker"

// signal is what the contract's alarms and policies follow: 0 while nothing is pending, else at least target+1, so that they scale out on
// the first job.
func signal(pending, target int64) int64 {
	if pending <= 0 {
		return 0
	}
	return max(pending, max(1, target)+1)
}

// backlog is how many jobs wait for each worker. It is proportional to the work that is left, unlike the signal. Jobs that run are not
// counted, nor are those in a language that no worker offers while some worker is ready: more of the same workers would not take them.
func backlog(d queue.Depth) float64 {
	waiting := d.Waiting
	if d.Ready > 0 {
		waiting -= d.Stuck
	}
	return float64(max(waiting, 0)) / float64(max(d.Workers, 1))
}

// data returns the metrics of one round.
func data(o Options, d queue.Depth) []types.MetricDatum {
	dimensions := []types.Dimension{
		{Name: aws.String("QueueName"), Value: aws.String(o.QueueName)},
		{Name: aws.String("Service"), Value: aws.String(o.Service)},
	}
	datum := func(name string, value float64) types.MetricDatum {
		return types.MetricDatum{MetricName: aws.String(name), Value: aws.Float64(value), Unit: types.StandardUnitCount,
			Timestamp: aws.Time(d.At), Dimensions: dimensions}
	}
	return []types.MetricDatum{
		datum(o.CountName, float64(d.Pending)),
		datum(o.SignalName, float64(signal(d.Pending, o.Target))),
		datum(backlogName, backlog(d)),
	}
}

// checkNames reports the first name that CloudWatch would refuse. The bounds are those of PutMetricData, MetricDatum and Dimension in
// Amazon CloudWatch's API reference; within them a round stays far below the 1 MB of a request.
func (o Options) checkNames() error {
	for _, n := range []struct {
		setting, value string
		most           int
	}{
		{"QUEUE_DEPTH_METRIC_NAMESPACE", o.Namespace, 255},
		{"QUEUE_DEPTH_METRIC_NAME", o.CountName, 255},
		{"QUEUE_DEPTH_SCALE_METRIC_NAME", o.SignalName, 255},
		{"QUEUE_DEPTH_METRIC_SERVICE_NAME", o.Service, 1024},
		{"JOB_QUEUE_NAME", o.QueueName, 1024},
	} {
		printable := func(r rune) bool { return r >= ' ' && r <= '~' }
		switch {
		case len(n.value) > n.most || strings.TrimSpace(n.value) == "" || strings.TrimFunc(n.value, printable) != "" || n.value[0] == ':':
			return fmt.Errorf("%s is %.60q: CloudWatch wants 1 to %d ASCII characters, the first no colon", n.setting, n.value, n.most)
		case n.value == o.Namespace && strings.HasPrefix(n.value, "AWS/"):
			return fmt.Errorf("%s is %q: namespaces that begin with AWS/ are AWS's own", n.setting, n.value)
		}
	}
	if o.CountName == o.SignalName || o.CountName == backlogName || o.SignalName == backlogName {
		return fmt.Errorf("QUEUE_DEPTH_METRIC_NAME is %q and QUEUE_DEPTH_SCALE_METRIC_NAME %q: they and %s must differ",
			o.CountName, o.SignalName, backlogName)
	}
	return nil
}
