// SPDX-License-Identifier: Apache-2.0

package job

// Protocol is the version of the daemon's protocol that this code speaks, see daemon/PROTOCOL.md. It grows when a daemon or a caller of
// the version before would misunderstand one of this version; both sides still speak the one before.
const Protocol = 1

// Capacity is what a daemon has room for at a moment: the answer to GET /v1/capacity. Callers choose between daemons by it; only
// admission decides, as others choose at the same time.
type Capacity struct {
	Protocol int    `json:"protocol"`
	Version  string `json:"version"`
	Tier     string `json:"tier"`     // of its results, see Result
	Draining bool   `json:"draining"` // it takes no further job

	Slots         Amount `json:"slots"`         // jobs at once
	MemoryBytes   Amount `json:"memoryBytes"`   // sum of the running jobs' memory limits
	CPUMillicores Amount `json:"cpuMillicores"` // sum of their CPU rates; 1000 is one core
	Waiting       int    `json:"waiting"`       // jobs that wait for one of these

	Images []ImageCapacity `json:"images"` // by language, sorted
}

// Amount is how much there is of something, and how much of that no job has.
type Amount struct {
	Total int64 `json:"total"`
	Free  int64 `json:"free"`
}

// ImageCapacity counts the prewarmed sandboxes of a language that wait for a job.
type ImageCapacity struct {
	Language string `json:"language"`
	Ready    int    `json:"ready"` // all of them
	Warm     int    `json:"warm"`  // those in which the runtime is started
}

// SpeaksWith reports whether a caller that speaks Protocol and a daemon that speaks version understand each other: the versions differ by
// one at most.
func SpeaksWith(version int) bool { return version >= Protocol-1 && version <= Protocol+1 }
