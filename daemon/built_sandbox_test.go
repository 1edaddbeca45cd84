// SPDX-License-Identifier: Apache-2.0

package daemon

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/ccee-dev/ccee/e2e/patience"
	"github.com/ccee-dev/ccee/job"
	"github.com/ccee-dev/ccee/rootfs"
)

// offer has s offer a language of the image of Python beside its own: its compile step is a Python program, the job's source, and run is
// what that has left.
func (s *served) offer(t testing.TB, name string, run ...string) {
	t.Helper()
	images := s.languages.list
	profile, err := json.Marshal(job.Language{
		Name: name, SourceFile: "main.py", Compile: []string{"/usr/bin/python3", "{source}"}, Run: run,
		Env: map[string]string{"PYTHONDONTWRITEBYTECODE": "1"},
	})
	if err != nil {
		t.Fatal(err)
	}
	s.languages.list = func(ctx context.Context) ([]rootfs.Image, error) {
		list, err := images(ctx)
		for _, image := range list {
			if image.Name == "python" {
				image.Labels = maps.Clone(image.Labels)
				image.Labels[languageLabel] = string(profile)
				return append(list, image), err
			}
		}
		return nil, fmt.Errorf("no image of Python: %w", err)
	}
}

// build is the source of a job of the language "built": a program that does what run says, with so many bytes beside it.
func build(run string, bytes int) string {
	return fmt.Sprintf("open('ran.py', 'w').write(%q)\nopen('padding', 'wb').write(b'x' * %d)", run, bytes)
}

func offeringBuilt(t *testing.T, adjust func(*Options)) *served {
	s := realDaemon(t, adjust)
	s.offer(t, "built", "/usr/bin/python3", "ran.py")
	return s
}

// Many jobs hold large programs while their tests run, more than the daemon has ever had room for. Somebody else's small job runs at
// once all the same, and no compile step runs twice.
func TestTestsBuiltAttack(t *testing.T) {
	s := offeringBuilt(t, nil)
	const holders, large = 10, (32 << 20) - 4096
	limits := job.Limits{CPUMillicores: 1000}
	ample(t, &limits, job.DefaultRun)
	limits.WallMs = min(job.MaxTestsWallMs/2, job.MaxLimits.WallMs) // of two tests, the one that sleeps until it is cancelled
	compile := job.Limits{}
	ample(t, &compile, job.DefaultCompile)
	spec := job.Spec{Language: "built", Source: build("import time\ntime.sleep(3600)", large), Compile: compile, Run: limits,
		Tests: &job.Tests{List: []job.Test{expect("", ""), expect("", "")}}}
	ctx, stop := context.WithCancelCause(t.Context())
	holding, ended, compiled := make(chan error, 2*holders), make(chan error, holders), make([]int, holders)
	before := heap()
	for n := range holders {
		one := spec
		one.ID = fmt.Sprintf("attacker-%d", n)
		go func() {
			_, err := s.run(ctx, one, func(ev job.Event) error {
				switch {
				case ev.Type == job.EventStarted && ev.Step == "compile":
					compiled[n]++
				case ev.Type == job.EventStarted && ev.Test == 1:
					holding <- nil
				}
				return nil
			})
			if err != nil {
				holding <- err
			}
			ended <- err
		}()
	}
	for range holders {
		if err := patience.Receive(t, holding, "a job runs its first test"); err != nil {
			t.Fatal(err)
		}
	}
	if got := heap() - before; got > 2*large {
		t.Errorf("%d MiB of the programs are in the daemon's memory", got>>20)
	}
	if got := s.charged(large); got != holders {
		t.Errorf("%d cgroups are charged for a program, want those of the %d jobs", got, holders)
	}
	victim := spec
	victim.ID, victim.Source = "victim", build("print(int(input()) ** 2)", 100_000)
	victim.Tests = &job.Tests{List: []job.Test{expect("3", "9"), expect("4", "16")}}
	victims := 0
	res, err := s.run(t.Context(), victim, func(ev job.Event) error {
		if ev.Type == job.EventStarted && ev.Step == "compile" {
			victims++
		}
		return nil
	})
	if err != nil || verdictsOf(res) != "accepted accepted" || victims != 1 {
		t.Errorf("the victim: %s, %v, compiled %d times", verdictsOf(res), err, victims)
	}
	if len(ended) > 0 {
		t.Errorf("%d holders had ended before: %v", len(ended), <-ended)
	}
	stop(errCancelled)
	for range holders {
		if err := patience.Receive(t, ended, "a cancelled job ends"); err != nil {
			t.Error(err)
		}
	}
	for n, times := range compiled {
		if times != 1 {
			t.Errorf("job %d was compiled %d times", n, times)
		}
	}
	if got := s.charged(large); got != 0 {
		t.Errorf("%d cgroups are still charged for a program", got)
	}
}

// heap is how many bytes of the heap are in use.
func heap() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapInuse)
}

// charged counts the sandboxes' cgroups without a process that hold as many bytes or more.
func (s *served) charged(bytes int64) (n int) {
	for _, memory := range []string{"/sys/fs/cgroup/*/sb-*/memory.current", "/sys/fs/cgroup/memory/*/sb-*/memory.usage_in_bytes"} {
		files, _ := filepath.Glob(strings.Replace(memory, "*", s.cgroup, 1))
		for _, f := range files {
			var held int64
			b, err := os.ReadFile(f)
			procs, err2 := os.ReadFile(filepath.Dir(f) + "/cgroup.procs")
			if err != nil || err2 != nil || len(procs) > 0 {
				continue
			}
			if fmt.Sscan(string(b), &held); held >= bytes {
				n++
			}
		}
	}
	return n
}

// Each test has the program as it was built, whatever the one before did to it and however closed the build had left it; in sandboxes
// that were made ahead, with other host ids than the build's, and in others.
func TestTestsBuiltFresh(t *testing.T) {
	const program = `import os, stat
new = all(open(f).read() == f for f in ('data', 'sub/deep/data', 'odd \n name'))
new = new and not os.path.exists('mark') and os.access('sub/tool', os.X_OK) and not os.access('data', os.X_OK)
print('new' if new else 'changed')
for f in ('data', 'sub/deep/data', 'ran.py'): open(f, 'w').write('changed')
os.remove('sub/tool')
open('mark', 'w')`
	source := fmt.Sprintf(`import os
open('ran.py', 'w').write(%q)
os.makedirs('sub/deep')
for f in ('data', 'sub/deep/data', 'odd \n name', 'sub/tool'): open(f, 'w').write(f)
os.chmod('sub/tool', 0o700)
for f in ('data', 'sub/deep', 'sub', 'ran.py', '.'): os.chmod(f, 0)`, program)
	three := []job.Test{expect("", "new"), expect("", "new"), expect("", "new")}
	for _, ready := range []int{0, 4} {
		s := offeringBuilt(t, func(o *Options) { o.Ready = ready })
		for range 2 {
			res := s.runSpec(t, job.Spec{Language: "built", Source: source, Tests: &job.Tests{List: three}})
			if got := verdictsOf(res); got != "accepted accepted accepted" {
				t.Errorf("%d ready: %s\n%s", ready, got, describeStep(last(t, res)))
			}
		}
	}
}
