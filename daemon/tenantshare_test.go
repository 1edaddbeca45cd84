// SPDX-License-Identifier: Apache-2.0

package daemon

import (
	"context"
	"fmt"
	"testing"

	"github.com/ccee-dev/ccee/e2e/patience"
	"github.com/ccee-dev/ccee/job"
)

// One tenant's jobs that ask for all cores and sleep leave room for another tenant's job at once: they can't have all of the CPU rates that
// the daemon promises. The control is the last of them, which gets no room.
func TestSleepersOfOneTenant(t *testing.T) {
	s := realDaemon(t, func(o *Options) { o.CPUMillicores, o.TenantShare, o.Ready = 0, 75, 0 }) // four times the cores, of which a job reserves one time at most
	ctx, stop := context.WithCancel(t.Context())
	limits := job.Limits{CPUMillicores: job.MaxLimits.CPUMillicores, WallMs: job.MaxLimits.WallMs}
	sleep := job.Spec{Tenant: "attacker", Language: "python", Source: "import time\ntime.sleep(3600)", Run: limits}
	started, ended := make(chan error, 4), make(chan error, 4)
	for n := range 4 {
		one := sleep
		one.ID = fmt.Sprintf("sleeper-%d", n)
		go func() {
			_, err := s.run(ctx, one, func(ev job.Event) error {
				if ev.Type == job.EventStarted {
					started <- nil
				}
				return nil
			})
			ended <- err
		}()
	}
	t.Cleanup(func() {
		stop()
		for range 4 {
			patience.Receive(t, ended, "a sleeper ends") // with what it was cancelled by
		}
	})
	for range 3 {
		if err := patience.Receive(t, started, "a sleeper starts"); err != nil {
			t.Fatal(err)
		}
	}
	patience.Until(t, "the last sleeper waits", func() (bool, string) {
		running, waiting, _ := s.slots.InUse()
		return running == 3 && waiting == 1, fmt.Sprintf("%d run, %d wait", running, waiting)
	})
	victim := job.Spec{ID: "victim", Tenant: "victim", Language: "python", Source: "print(6*7)"}
	if res := s.runSpec(t, victim); string(last(t, res).Stdout.Data) != "42\n" {
		t.Errorf("the victim's job: %s", describeStep(last(t, res)))
	}
}
