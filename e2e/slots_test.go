// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/ccee-dev/ccee/e2e/patience"
)

// TestManySlots: a host with slots for 256 jobs runs as many at once, without a setting for the worker. Each is two processes,
// sandbox-init and the program, which the kernel counts; none else is in the jails' cgroup.
func TestManySlots(t *testing.T) {
	const slots = 256
	s := ownStack(t, fmt.Sprint("CCEE_SLOTS=", slots), "CCEE_READY=0", "CCEE_MILLICORES=100000", "CCEE_CPU_WEIGHT=10000",
		"WORKER_TENANT_SHARE=100", "CCEE_TENANT_SHARE=100", "CCEE_DRAIN_MS=1")
	for range slots {
		s.submit(t, body{"language": "python", "sourceCode": "import time; time.sleep(60)", "run": body{"timeoutMs": 60_000, "memoryMb": 32, "pids": 8}})
	}
	patience.Until(t, "as many jobs run at once as there are slots", func() (bool, string) {
		n := pidsIn(t, s.name)
		return n >= 2*slots, fmt.Sprintf("%d processes", n)
	})
}

// pidsIn is how many processes the kernel counts in the cgroup of that name.
func pidsIn(t *testing.T, name string) int {
	t.Helper()
	for _, tree := range []string{"/sys/fs/cgroup", "/sys/fs/cgroup/pids"} { // v2, v1
		if b, err := os.ReadFile(filepath.Join(tree, name, "pids.current")); err == nil {
			n, err := strconv.Atoi(strings.TrimSpace(string(b)))
			if err != nil {
				t.Fatal(err)
			}
			return n
		}
	}
	t.Fatalf("there is no cgroup %s", name)
	return 0
}
