// SPDX-License-Identifier: Apache-2.0

package nsjail

import (
	"fmt"
	"runtime"
	"strings"
	"time"
)

// A wall limit passes for a program that waits, and for one that could run but got no CPU time because the host was busy with others. The
// kernel tells them apart by pressure: the time in which some of a cgroup's processes were ready to run and none did. See
// accounting/psi.rst. It has it on the v2 tree alone, which may be mounted without controllers, and not when booted with psi=0.

// Starved is the source of the evidence that a step whose wall time passed was kept from running by the host: Value is for how many
// milliseconds, Limit from how many on that is reported.
const Starved = "cpu.pressure full"

// starvedPart: the host starved a program that has missed at least one part in so many of its wall time.
const starvedPart = 4

// pressure is for how long, since the cgroup was made, processes in it were ready to run and none did; 0 where the kernel doesn't say.
func (cg *cgroup) pressure() time.Duration {
	if cg == nil || cg.at.unified == "" {
		return 0
	}
	text, err := readFile(cg.at.unified, "cpu.pressure")
	if err != nil {
		return 0
	}
	return parsePressure(text)
}

// parsePressure reads the line "full avg10=0.00 avg60=0.00 avg300=0.00 total=MICROSECONDS".
func parsePressure(text string) time.Duration {
	for line := range strings.Lines(text) {
		rest, full := strings.CutPrefix(line, "full ")
		_, total, ok := strings.Cut(rest, "total=")
		var us int64
		if _, err := fmt.Sscan(total, &us); full && ok && err == nil {
			return time.Duration(us) * time.Microsecond
		}
	}
	return 0
}

// starved is the evidence that the host kept a program from running, which used u and was ready to run in vain for the time of pressure.
// Waiting for its own CPU rate is no fault of the host: a program that got all that its rate allows has missed nothing.
func starved(p Process, u Usage, pressure time.Duration) (Evidence, bool) {
	millicores := min(p.Resources.CPUMillicores, 1000*int64(runtime.NumCPU()))
	got := (u.User + u.System) * 1000 / time.Duration(millicores)
	missed := min(pressure, p.WallTime-got)
	least := p.WallTime / starvedPart
	return Evidence{Starved, missed.Milliseconds(), least.Milliseconds(), "ms"}, missed > 0 && missed >= least
}
