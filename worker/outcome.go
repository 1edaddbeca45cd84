package worker

import (
	"math"

	"ccee/api/job"
	"ccee/worker/queue"
)

// The prices of the cost model: AWS Fargate, Linux on x86, us-east-1.
const (
	costModel      = "fargate-v1"
	USDPerVCPUHour = 0.04048
	USDPerGBHour   = 0.004445
)

// outcome is what a result is stored with.
func outcome(req queue.Request, res job.Result) queue.Outcome {
	ms := int64(math.Ceil(max(0, res.WallMs)))
	return queue.Outcome{
		Result: res, FailureCategory: category(&res), BillableDurationMs: ms, EstimatedCostUsd: cost(req, ms), CostModelVersion: costModel,
	}
}

// cost is the price in USD of the resources that were asked for, over the time that the job took: rounded to 8 decimals.
func cost(req queue.Request, ms int64) float64 {
	hours := float64(ms) / 3_600_000
	vcpu := float64(max(req.CPUMillicores, 128)) / 1000
	gb := float64(max(req.MemoryMb, 64)) / 1024
	return math.Round(hours*(vcpu*USDPerVCPUHour+gb*USDPerGBHour)*1e8) / 1e8
}

// category says whose fault a failure is, by the stage and the kernel's evidence. What the program printed does not count:
// programs print anything.
func category(res *job.Result) string {
	last := res.Last()
	switch {
	case res.Status != job.Failed: // a cancelled job is nobody's fault
		return "none"
	case res.Verdict == job.Internal, res.Verdict == job.StartFailed:
		return "infrastructure"
	case res.TimedOut():
		return "timeout"
	case last != nil && last.Name == "compile" && !last.OK(), res.Verdict == job.WrongAnswer, res.Verdict == job.CheckerFailed:
		return "user_code"
	default:
		return "runtime"
	}
}
