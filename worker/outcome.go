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

// outcome is what is stored for a result of a program in that language.
func outcome(language string, req queue.Request, res job.Result) queue.Outcome {
	ms := int64(math.Ceil(max(0, res.WallMs)))
	return queue.Outcome{
		Result: res, FailureCategory: string(res.Category(language)), BillableDurationMs: ms, EstimatedCostUsd: cost(req, ms), CostModelVersion: costModel,
	}
}

// cost is the price in USD of the requested resources for ms milliseconds, rounded to 8 decimals.
func cost(req queue.Request, ms int64) float64 {
	hours := float64(ms) / 3_600_000
	vcpu := float64(max(req.CPUMillicores, 128)) / 1000
	gb := float64(max(req.MemoryMb, 64)) / 1024
	return math.Round(hours*(vcpu*USDPerVCPUHour+gb*USDPerGBHour)*1e8) / 1e8
}
