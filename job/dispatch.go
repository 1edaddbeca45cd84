// SPDX-License-Identifier: Apache-2.0

package job

// Dispatch says where a remote backend runs a job.
type Dispatch struct {
	TaskARN           string
	TaskDefinitionARN string
	ComputeTier       string // "small", "medium" or "large"
	PurchaseOption    string // "spot" or "on-demand"
}
