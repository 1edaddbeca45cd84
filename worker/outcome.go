// SPDX-License-Identifier: Apache-2.0

package worker

import (
	"math"

	"github.com/ccee-dev/ccee/job"
	"github.com/ccee-dev/ccee/queue"
)

// The prices of the cost model: AWS Fargate, Linux on x86, us-east-1.
const (
	costModel      = "fargate-v1"
	USDPerVCPUHour = 0.04048
	USDPerGBHour   = 0.004445
)

// outcome is what is stored for a result of a program in that language, which ran in that task, if in any.
func outcome(language string, req queue.Request, res job.Result, placed job.Dispatch) queue.Outcome {
	ms := int64(math.Ceil(max(0, res.WallMs)))
	o := queue.Outcome{Result: res, FailureCategory: string(res.Category(language)), BillableDurationMs: ms,
		EstimatedCostUsd: cost(req, ms), CostModelVersion: costModel, Dispatch: placed}
	if usd, known := taskCost(placed, ms); known {
		o.EstimatedCostUsd, o.CostModelVersion = usd, taskCostModel
	}
	return o
}

// The cost model of jobs in ECS tasks: the task's size counts, not the job's limits.
const (
	taskCostModel = "fargate-tiered-v2"
	spotFactor    = 0.3 // of the on-demand price
)

var tierSizes = map[string]struct{ vcpu, gb float64 }{"small": {0.25, 0.5}, "medium": {0.5, 1}, "large": {1, 2}}

// taskCost is the price in USD of ms milliseconds of a task; known is false for a job that ran in none.
func taskCost(placed job.Dispatch, ms int64) (usd float64, known bool) {
	size, known := tierSizes[placed.ComputeTier]
	factor := map[string]float64{"spot": spotFactor, "on-demand": 1}[placed.PurchaseOption]
	if !known || factor == 0 {
		return 0, false
	}
	usd = float64(ms) / 3_600_000 * (size.vcpu*USDPerVCPUHour + size.gb*USDPerGBHour) * factor
	return math.Round(usd*1e8) / 1e8, true
}

// cost is the price in USD of the requested resources for ms milliseconds, rounded to 8 decimals.
func cost(req queue.Request, ms int64) float64 {
	hours := float64(ms) / 3_600_000
	vcpu := float64(max(req.CPUMillicores, 128)) / 1000
	gb := float64(max(req.MemoryMb, 64)) / 1024
	return math.Round(hours*(vcpu*USDPerVCPUHour+gb*USDPerGBHour)*1e8) / 1e8
}
