// SPDX-License-Identifier: Apache-2.0

package ecs

import "fmt"

// Tier is the size of a task, in the contract's words.
type Tier string

// The tiers.
const (
	Small  Tier = "small"
	Medium Tier = "medium"
	Large  Tier = "large"
)

// RunnerBytes is the memory of a task that its daemon takes.
const RunnerBytes = 128 << 20

const gib = 1 << 30

// tiers are the sizes that the task definitions must have, from small to large. The CPU thresholds are the contract's.
var tiers = []struct {
	name       Tier
	setting    string
	millicores int64 // of the job's run step
	bytes      int64 // of the whole task
}{
	{Small, "SMALL", 256, gib / 2},
	{Medium, "MEDIUM", 512, gib},
	{Large, "LARGE", 1024, 2 * gib},
}

// TierFor returns the smallest tier for a job whose run step may use that CPU rate and whose steps may use that much memory (bytes). The
// error says what no tier has.
func TierFor(millicores, memory int64) (Tier, error) {
	for _, t := range tiers {
		if millicores <= t.millicores && memory+RunnerBytes <= t.bytes {
			return t.name, nil
		}
	}
	largest := tiers[len(tiers)-1]
	return "", fmt.Errorf("the job asks for %d millicores and %d MiB, and an ECS task has at most %d and %d", millicores, memory>>20,
		largest.millicores, (largest.bytes-RunnerBytes)>>20)
}
