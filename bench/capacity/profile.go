// SPDX-License-Identifier: Apache-2.0

// Package capacity predicts how many hosts a load needs and how long its jobs wait: a simulation of hosts that take jobs off one queue,
// event by event, with the figures that ccee bench profile measured on one host.
package capacity

import (
	"fmt"
	"math"
)

// Profile is what was measured of one host.
type Profile struct {
	Cores     int        `json:"cores"`
	Slots     int        `json:"-"` // jobs at once
	Ready     int        `json:"-"` // prewarmed sandboxes, of all languages together
	Languages []Language `json:"languages"`
}

// Language is the time and the memory of a job in one language.
type Language struct {
	Name      string  `json:"language"`
	WarmMs    float64 `json:"warmMs"`    // median from request to result of a job alone, in a prewarmed sandbox
	WarmP99Ms float64 `json:"warmP99Ms"` // 99th percentile of the same
	WarmCPUMs float64 `json:"warmCpuMs"` // CPU time of one such job, including that for its sandbox
	ColdMs    float64 `json:"coldMs"`    // median where the sandbox is made on demand
	ColdCPUMs float64 `json:"coldCpuMs"` // CPU time of one such job when all cores are busy: cores divided by jobs a second
	MemoryMiB float64 `json:"memoryMiB"` // peak of one job
}

// Check reports figures that no host has.
func (p Profile) Check() error {
	if p.Cores < 1 || p.Cores > 4096 || p.Slots < 1 || p.Ready < 0 || len(p.Languages) == 0 {
		return fmt.Errorf("profile: %d cores, %d slots, %d ready, %d languages: want at least 1 of each, 0 ready, at most 4096 cores", p.Cores, p.Slots, p.Ready, len(p.Languages))
	}
	for _, l := range p.Languages {
		for name, ms := range map[string]float64{"warmMs": l.WarmMs, "warmP99Ms": l.WarmP99Ms, "warmCpuMs": l.WarmCPUMs,
			"coldMs": l.ColdMs, "coldCpuMs": l.ColdCPUMs} {
			if !(ms > 0 && ms < 3_600_000) {
				return fmt.Errorf("profile: %s of %s is %v, want milliseconds above 0", name, l.Name, ms)
			}
		}
	}
	return nil
}

// find returns the index of a language, or -1.
func (p Profile) find(name string) int {
	for i, l := range p.Languages {
		if l.Name == name {
			return i
		}
	}
	return -1
}

// work is a Language in the units of the simulation: seconds of CPU time.
type work struct {
	cold   float64 // of a job whose sandbox is made on demand
	delay  float64 // that such a job waits for the kernel, in seconds
	warm   float64 // of one with a prewarmed sandbox, from request to result
	ahead  float64 // of prewarming a sandbox
	width  float64 // cores that all but a warm job can use at once
	spread float64 // standard deviation of the logarithm of a job's size
}

func (l Language) work() work {
	w := work{cold: l.ColdCPUMs / 1000, warm: l.WarmMs / 1000, width: max(1, l.ColdCPUMs/l.ColdMs)}
	w.spread = max(0, math.Log(l.WarmP99Ms/l.WarmMs)/2.326) // the normal distribution's 99th percentile
	w.delay = max(0, l.ColdMs/1000-w.cold/w.width)
	w.cold /= math.Exp(w.spread * w.spread / 2) // measured as a mean, which is that much above the median
	w.ahead = max(0, l.WarmCPUMs-l.WarmMs) / 1000
	return w
}
