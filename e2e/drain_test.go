// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ccee-dev/ccee/e2e/patience"
)

// TestNoDrain: with CCEE_DRAIN_MS=0 a daemon waits for no job after SIGTERM.
func TestNoDrain(t *testing.T) {
	requireHost(t)
	dir, err := os.MkdirTemp("", "ccee-e2e-drain-")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	socket := filepath.Join(dir, "s")
	p := startPart(t, []string{"CCEE_DRAIN_MS=0", "CCEE_READY=0"}, binary, "daemon", "--socket", socket, "--images", images(), "--cgroup", cgroupName("drain"))
	eventually(t, "the daemon serves", 20*time.Second, func() (bool, string) {
		_, err := os.Stat(socket)
		return err == nil, "no socket"
	})
	job := exec.Command(binary, "run", "--socket", socket, "--time", "60s", file(t, "a.py", "print('runs', flush=True)\nimport time; time.sleep(50)"))
	out, err := job.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := job.Start(); err != nil {
		t.Fatal(err)
	}
	defer job.Wait()
	first := make(chan string, 1)
	go func() {
		b := make([]byte, 5)
		n, _ := out.Read(b)
		first <- string(b[:n])
	}()
	if got := patience.Receive(t, first, "the job runs"); !strings.HasPrefix(got, "runs") {
		t.Fatalf("the job wrote %q", got)
	}
	began := time.Now()
	p.stop(t)
	if took := time.Since(began); took > 25*time.Second { // the default would be 30 s
		t.Errorf("the daemon ended after %v", took)
	}
}
