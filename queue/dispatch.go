// SPDX-License-Identifier: Apache-2.0

package queue

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/ccee-dev/ccee/job"
)

// Dispatch records where a remote backend runs the present attempt, and writes the audit event job_dispatched. From then on the job is
// shown as dispatched. A later one of the same attempt replaces it. ErrLeaseLost means that the job is no longer the caller's.
func (l *Lease) Dispatch(ctx context.Context, d job.Dispatch) error {
	metadata, err := json.Marshal(struct {
		TraceID           string `json:"traceId"`
		TaskARN           string `json:"taskArn"`
		TaskDefinitionARN string `json:"taskDefinitionArn"`
		ComputeTier       string `json:"computeTier"`
		PurchaseOption    string `json:"purchaseOption"`
	}{l.TraceID, d.TaskARN, d.TaskDefinitionARN, d.ComputeTier, d.PurchaseOption})
	if err != nil {
		return fmt.Errorf("%s: %w", l.what("encode the audit of"), err)
	}
	return l.end(ctx, l.q.steps.dispatch, "dispatch", d.TaskARN, d.TaskDefinitionARN, d.ComputeTier, d.PurchaseOption, metadata)
}
