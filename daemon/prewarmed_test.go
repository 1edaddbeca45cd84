// SPDX-License-Identifier: Apache-2.0

package daemon

import (
	"context"
	"encoding/json"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/rs/zerolog"

	"github.com/ccee-dev/ccee/daemon/ready"
	"github.com/ccee-dev/ccee/daemon/slots"
	"github.com/ccee-dev/ccee/job"
	"github.com/ccee-dev/ccee/nsjail"
)

// prewarmed is a sandbox in which every program does what the test says.
type prewarmed struct {
	sandbox
	runs func(nsjail.Process) (nsjail.Result, error)
}

func (p prewarmed) Run(_ context.Context, proc nsjail.Process) (nsjail.Result, error) {
	return p.runs(proc)
}
func (p prewarmed) Close() error { return nil }

// A job takes a prewarmed sandbox if its own would be the same, a warm one if the runtime can serve it, and else has one built.
func TestJobsTakePrewarmedSandboxes(t *testing.T) {
	profile, err := json.Marshal(job.Language{Name: "python", SourceFile: "main.py", Run: []string{"/python3", "main.py"}, Warm: []string{"/python3", "-X", "warm"}, WarmMemoryBytes: 7})
	if err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	var warm, jobs []nsjail.Process
	r := newRig()
	r.languages = offering(profiled("python", string(profile), 1))
	r.filters = filters{none: filter{bpf: []byte("none")}, loopback: filter{bpf: []byte("loopback")}}
	build := func(context.Context, nsjail.Config) (sandbox, error) {
		return prewarmed{r.sb, func(p nsjail.Process) (nsjail.Result, error) {
			mu.Lock()
			defer mu.Unlock()
			if p.Resources.Idle {
				warm = append(warm, p)
				return nsjail.Result{Verdict: nsjail.Paused}, nil
			}
			jobs = append(jobs, p)
			return nsjail.Result{Verdict: nsjail.Exited, Exited: true, Usage: nsjail.Usage{MemoryPeak: 10}}, nil
		}}, nil
	}
	r.newSandbox = build
	r.ready = ready.New(ready.Options{Build: build, Busy: func() bool { return false }, FirstSlot: 10, Slots: 4, Capacity: 4, WarmBytes: 1 << 30, Log: zerolog.Nop()})
	run := func(spec job.Spec) job.Result {
		t.Helper()
		spec.ID, spec.Language, spec.Source = "1", "python", "x"
		res, err := r.Run(t.Context(), spec, func(job.Event) error { return nil })
		if err != nil {
			t.Fatal(err)
		}
		r.teardowns.Wait()
		return res
	}
	count := func(from string) float64 {
		t.Helper()
		all, err := r.metrics.registry.Gather()
		if err != nil {
			t.Fatal(err)
		}
		for _, family := range all {
			for _, m := range family.Metric {
				if family.GetName() == "ccee_daemon_sandboxes_total" && m.Label[0].GetValue() == from {
					return m.Counter.GetValue()
				}
			}
		}
		return 0
	}
	usual := job.Spec{Network: job.NetworkLoopback}
	withArgs := job.Spec{Network: job.NetworkLoopback, Args: []string{"x"}}
	odd := job.Spec{Network: job.NetworkLoopback, Run: job.Limits{TmpBytes: job.DefaultRun.TmpBytes / 2}}
	run(usual)
	eventually(t, func() bool { return r.ready.Count() == 1 })
	if res := run(usual); count("warm") != 1 || count("cold") != 1 || res.Last().Usage.MemoryPeakBytes != 3 {
		t.Errorf("%v warm and %v cold, want one each; the memory peak is %d, want it without the runtime's", count("warm"), count("cold"), res.Last().Usage.MemoryPeakBytes)
	}
	run(withArgs)
	eventually(t, func() bool { return r.ready.Count() >= 3 })
	if res := run(withArgs); count("ready") != 1 || res.Last().Usage.MemoryPeakBytes != 10 {
		t.Errorf("%v ready, want one; the memory peak is %d", count("ready"), res.Last().Usage.MemoryPeakBytes)
	}
	before := r.ready.Count()
	run(odd)
	if count("cold") != 3 || r.ready.Count() < before {
		t.Errorf("%v cold, want three: a sandbox of another size is built", count("cold"))
	}
	r.wait()
	if running, _, used := r.slots.InUse(); running != 0 || used != (slots.Need{}) {
		t.Errorf("%d slots and %+v are in use", running, used)
	}
	for _, p := range append(warm, jobs...) {
		if string(p.Seccomp) != "loopback" {
			t.Errorf("%s runs under the filter %q", strings.Join(p.Args, " "), p.Seccomp)
		}
	}
	if got := jobs[1].Resources.MemoryMax - jobs[0].Resources.MemoryMax; got != 7 {
		t.Errorf("with a warm runtime the job may take %d bytes more, want 7", got)
	}
}

// When a job ends, the pool may make the sandboxes that it could not while the cores were busy.
func TestEndOfAJobNudgesThePool(t *testing.T) {
	for name, tests := range map[string]*job.Tests{"a job": nil, "a job with tests": {List: make([]job.Test, 1)}} {
		synctest.Test(t, func(t *testing.T) {
			r := newRig(func(ctx context.Context, p nsjail.Process) (nsjail.Result, error) {
				synctest.Wait() // the pool has seen that the cores are busy
				return exits(0)(ctx, p)
			})
			build := func(context.Context, nsjail.Config) (sandbox, error) { return prewarmed{sandbox: r.sb}, nil }
			busy := func() bool { running, _, _ := r.slots.InUse(); return running > 0 }
			r.ready = ready.New(ready.Options{Build: build, Busy: busy, FirstSlot: 10, Slots: 4, Capacity: 1, Log: zerolog.Nop()})
			if _, err := r.Run(t.Context(), job.Spec{ID: "1", Language: "python", Source: "x", Tests: tests}, r.emit); err != nil {
				t.Fatal(err)
			}
			r.teardowns.Wait()
			synctest.Wait()
			if n := r.ready.Count(); n != 1 {
				t.Errorf("%s: %d sandboxes are prewarmed at its end, want one", name, n)
			}
			r.wait()
		})
	}
}
