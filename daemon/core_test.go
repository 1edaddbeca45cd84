// SPDX-License-Identifier: Apache-2.0

package daemon

import (
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/ccee-dev/ccee/e2e/patience"
	"github.com/ccee-dev/ccee/job"
)

// crashes sets the limit on core files in each way there is, and crashes after each.
const crashes = `
import os, resource
def lower(): resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
def both():
    try: resource.prlimit(os.getpid(), resource.RLIMIT_CORE, (0, 0))
    except PermissionError: print("refused")
for how in (lambda: None, lower, both):
    pid = os.fork()
    if pid == 0:
        how()
        print(resource.getrlimit(resource.RLIMIT_CORE), open("/proc/self/coredump_filter").read(), flush=True)
        os.abort()
    print(os.WTERMSIG(os.waitpid(pid, 0)[1]), flush=True)
os.abort()
`

// TestCoreHandler: no crash of a job starts the host's handler of crashes, which is root's and outside of all limits. Where the host is the
// test's own (SANDBOX_ALONE, see .ci/vm-init) it has such a handler meanwhile.
func TestCoreHandler(t *testing.T) {
	const alone = "SANDBOX_ALONE"
	if os.Getenv(alone) == "1" {
		coreHandler(t)
	} else {
		t.Logf("without %s=1 the host's core_pattern stays as it is: limit and filter alone are looked at", alone)
	}
	for name, adjust := range map[string]func(*Options){"cold": nil, "warm": func(o *Options) { o.Ready, o.Warm = 1, true }} {
		s := realDaemon(t, adjust)
		if name == "warm" {
			s.runSpec(t, job.Spec{Language: "python", Source: " "})
		}
		step := last(t, s.runSpec(t, job.Spec{Language: "python", Source: crashes}))
		const limit = "(1, 1) 00000000\n\n6\n"
		if want := limit + limit + "refused\n" + limit; string(step.Stdout.Data) != want || step.Verdict != job.Signaled || step.Signal != "SIGABRT" {
			t.Errorf("%s: %s\nwant %q and SIGABRT", name, describeStep(step), want)
		}
		for _, d := range step.DeniedSyscalls {
			if d.Name != "prlimit64" || d.Errno != "EPERM" {
				t.Errorf("%s: denied %+v", name, d)
			}
		}
	}
	if os.Getenv(alone) == "1" {
		// The handler of a later crash has run, so one of the job's would have.
		crashOutside(t)
		if _, err := os.Stat(handled + "python3"); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("the host's handler ran for a crash of the job: %v", err)
		}
	}
}

// handled is where the handler leaves a file for each crash, by the name of the process.
const handled = "/tmp/core-of-"

// coreHandler sets a handler until the test ends, and sees that it runs, even where core files are off.
func coreHandler(t *testing.T) {
	t.Helper()
	const file = "/proc/sys/kernel/core_pattern"
	was, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.WriteFile(file, was, 0); err != nil {
			t.Error(err)
		}
	})
	if err := os.WriteFile(file, []byte("|/usr/bin/busybox touch "+handled+"%e"), 0); err != nil {
		t.Fatal(err)
	}
	crashOutside(t)
}

// crashOutside crashes a process of the host, and waits for the handler.
func crashOutside(t *testing.T) {
	t.Helper()
	seen := handled + "sh"
	if err := os.Remove(seen); err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	if err := exec.Command("/bin/sh", "-c", "ulimit -c 0; kill -SEGV $$").Run(); err == nil || !strings.Contains(err.Error(), "segmentation fault") {
		t.Fatalf("the control ends with %v", err)
	}
	patience.Until(t, "the handler runs for a crash of the host", func() (bool, string) {
		_, err := os.Stat(seen)
		return err == nil, seen
	})
}
