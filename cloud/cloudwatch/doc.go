// SPDX-License-Identifier: Apache-2.0

// Package cloudwatch publishes the length of the queue as metrics of Amazon CloudWatch, by which the number of workers is scaled.
//
// An api publishes, not a worker: while there are no workers, somebody must ask for the first. Of all apis one publishes in each round
// (queue.TakeDepth), so a metric has one source and one definition. A round is every Options.Every, and at once when the first job comes to
// an idle queue; that is the most, however many jobs are submitted. A round is one request, PutMetricData with all metrics.
//
// Nothing waits for CloudWatch and nothing fails with it. An outage is logged when it begins and when it ends, and each failed round is
// counted.
//
// service/cloudwatch is pinned at v1.52.8 in go.mod: from v1.53.0 on that client speaks Smithy RPC v2 CBOR alone, which the server of these
// tests (moto 5.2) does not know. v1.52.8 speaks the AWS Query protocol, which AWS goes on to serve. See the note there before raising it.
package cloudwatch
