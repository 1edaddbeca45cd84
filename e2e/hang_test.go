// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/ccee-dev/ccee/e2e/patience"
)

// TestHangingDaemon stops a daemon by SIGSTOP while it runs a job: its socket still takes connections and nothing answers. The worker
// claims no more jobs, and gives that one up when all its time is over. Both jobs run when the daemon goes on, the first one for the
// second time.
func TestHangingDaemon(t *testing.T) {
	requireHost(t)
	dir, err := os.MkdirTemp("", "ccee-e2e-hang-")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	s := &stack{url: "http://" + freePort(t), name: cgroupName("hang")}
	socket := filepath.Join(dir, "redis.sock")
	env := []string{"REDIS_URL=unix://" + socket, "CCEE_SOCKET=" + filepath.Join(dir, "daemon.sock"), "CCEE_IMAGES=" + images()}
	startPart(t, nil, "redis-server", "--port", "0", "--unixsocket", socket, "--dir", dir, "--save", "")
	startPart(t, env, binary, "api", "--dev", "--listen", strings.TrimPrefix(s.url, "http://"))
	d := startPart(t, env, binary, "daemon", "--cgroup", s.name, "--queue-wait-ms", "1000") // which the worker waits for, too
	t.Cleanup(func() { _ = d.cmd.Process.Signal(syscall.SIGCONT) })                         // before it is asked to end
	startPart(t, env, binary, "worker")
	s.wantReadiness(t, 1, 1, "")

	program := fmt.Sprintf("import time\nprint('begun', flush=True)\ntime.sleep(%d)", 2*patience.Slowness())
	status, answer, err := s.request("POST", "/v1/jobs", "dev-local-key", python(program, "timeoutMs", ms(4000)))
	var first jobObject
	if err != nil || status != 202 || json.Unmarshal(answer, &first) != nil {
		t.Fatalf("POST: %d %s %v, want 202", status, answer, err)
	}
	s.awaitOutput(t, first.JobID, "begun")
	if err := d.cmd.Process.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	s.wantReadiness(t, 1, 0, "none has a daemon that can run jobs")
	second := s.accept(t)
	s.awaitJob(t, "the worker gives the first job up", first.JobID, `"status":"retrying"`, `"made":1`)
	s.awaitJob(t, "the second job waits", second, `"status":"queued"`, `"made":0`)
	if err := d.cmd.Process.Signal(syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	s.wantDone(t, second)
	s.awaitJob(t, "the first job succeeds at its second attempt", first.JobID, `"stdout":"begun\n"`, `"made":2`)
}

// awaitJob waits until the job has both texts in its JSON.
func (s *stack) awaitJob(t *testing.T, what, id, one, other string) {
	t.Helper()
	patience.Until(t, what, func() (bool, string) {
		_, body, err := s.request("GET", "/v1/jobs/"+id, "dev-local-key", nil)
		return err == nil && strings.Contains(string(body), one) && strings.Contains(string(body), other), fmt.Sprint(string(body), err)
	})
}

// awaitOutput follows a job until it has written that line.
func (s *stack) awaitOutput(t *testing.T, id, want string) {
	t.Helper()
	cmd := exec.CommandContext(patience.Context(t), binary, "logs", "--follow", id)
	cmd.Env = []string{"CCEE_URL=" + s.url, "CCEE_API_KEY=dev-local-key"}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	_ = cmd.Process.Kill()
	_ = cmd.Wait()
	if strings.TrimSpace(line) != want {
		t.Fatalf("ccee logs --follow: %q, %v, want %q", line, err, want)
	}
}
