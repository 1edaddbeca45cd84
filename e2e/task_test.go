// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ccee-dev/ccee/daemon/client"
	"github.com/ccee-dev/ccee/e2e/fargate"
	"github.com/ccee-dev/ccee/e2e/patience"
	"github.com/ccee-dev/ccee/job"
)

// runnerRoot makes the root of a container for the tier task: the languages' trees in one, and the binary. It takes some seconds, once.
var runnerRoot = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "ccee-runner-") // shared.stop removes it
	if err != nil {
		return "", err
	}
	root := filepath.Join(dir, "root")
	if out, err := exec.Command(binary, "image", "stack", "--images", images(), root).CombinedOutput(); err != nil {
		return "", fmt.Errorf("image stack: %w: %s", err, out)
	}
	if err := os.Chmod(dir, 0o755); err != nil {
		return "", err
	}
	for _, name := range []string{"run", "dev/shm", "etc/x"} {
		if err := os.MkdirAll(filepath.Join(root, name), 0o755); err != nil {
			return "", err
		}
	}
	for _, name := range []string{"null", "zero", "full", "random", "urandom", "tty"} {
		if err := os.WriteFile(filepath.Join(root, "dev", name), nil, 0o666); err != nil {
			return "", err
		}
	}
	b, err := os.ReadFile(binary)
	if err != nil {
		return "", err
	}
	return root, os.WriteFile(filepath.Join(root, "usr/bin/ccee"), b, 0o755)
})

// onFargate runs ccee with those arguments as root of a container there.
func onFargate(t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	requireHost(t)
	root, err := runnerRoot()
	if err != nil {
		t.Fatal(err)
	}
	s := fargate.Shape{
		Root: root, Writable: []string{"/workspace", "/tmp", "/dev/shm", "/run"}, Args: append([]string{"/usr/bin/ccee"}, args...),
		Env: []string{"PATH=/usr/bin:/bin", "TASK_TOKEN=xyzzy-secret"},
	}
	cmd, err := s.Command()
	if err != nil {
		t.Fatal(err)
	}
	return cmd
}

// taskDaemon starts a daemon of the tier task and returns a client of it.
func taskDaemon(t *testing.T, args ...string) (*client.Client, chan error) {
	t.Helper()
	cmd := onFargate(t, append([]string{"daemon", "--tier", "task", "--socket", "/run/d.sock"}, args...)...)
	var log bytes.Buffer
	cmd.Stdout, cmd.Stderr = &log, &log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1) // what is received must be sent back
	go func() { ended <- cmd.Wait() }()
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		<-ended
		if t.Failed() {
			t.Logf("%s", log.String())
		}
	})
	c := client.New(fmt.Sprintf("/proc/%d/root/run/d.sock", cmd.Process.Pid))
	awaitReady(t, c, ended)
	return c, ended
}

// awaitReady waits until the daemon serves.
func awaitReady(t *testing.T, c *client.Client, ended chan error) {
	t.Helper()
	for deadline := time.Now().Add(patience.Long()); ; {
		err := c.Ready(patience.Context(t))
		if err == nil {
			return
		}
		select {
		case why := <-ended:
			ended <- why
			t.Fatalf("the daemon ended: %v", why)
		case <-time.After(20 * time.Millisecond):
		}
		if time.Now().After(deadline) {
			t.Fatal(err)
		}
	}
}

func TestTaskDoctor(t *testing.T) {
	out, err := onFargate(t, "doctor", "--escape", "--tier", "task").CombinedOutput()
	if err != nil {
		t.Errorf("%v:\n%s", err, out)
	}
	for _, want := range []string{"NOT HELD proc", "NOT HELD cgroup", "held     sockets", "held     signals", "held     ptrace"} {
		if !strings.Contains(string(out), want) {
			t.Errorf("it does not say %q:\n%s", want, out)
		}
	}
}

// TestTaskAskedFor: a tier that can't be had is an error, never another tier.
func TestTaskAskedFor(t *testing.T) {
	out, err := onFargate(t, "daemon", "--socket", "/run/d.sock", "--images", "/usr/share").CombinedOutput()
	if err == nil {
		t.Errorf("a daemon of the tier jail served without namespaces:\n%s", out)
	}
	requireHost(t)
	out, err = exec.Command(binary, "daemon", "--tier", "task", "--socket", filepath.Join(t.TempDir(), "d.sock")).CombinedOutput()
	if err == nil || !strings.Contains(string(out), "ccee image stack") {
		t.Errorf("a daemon of the tier task served where no languages are: %v:\n%s", err, out)
	}
}

// TestTask runs jobs in a daemon of the tier task.
func TestTask(t *testing.T) {
	c, _ := taskDaemon(t, "--one-job=false")
	const java = `import java.nio.file.*; class Main { public static void main(String[] a) throws Exception {
		System.out.print(new String(System.in.readAllBytes()) + a[0]); Files.writeString(Path.of("out.txt"), "written"); } }`
	tests := []struct {
		name, language, source string
		want                   string
	}{
		{"python", "python", "import sys\nprint(sys.stdin.read() + sys.argv[1], end='')\nopen('out.txt', 'w').write('written')", ""},
		{"python with processes", "python", `
import sys, multiprocessing
def f(x): return x * x
if __name__ == '__main__':
    with multiprocessing.Pool(2) as p: assert p.map(f, [1, 2, 3]) == [1, 4, 9]
    print(sys.stdin.read() + sys.argv[1], end='')
    open('out.txt', 'w').write('written')`, ""},
		{"javascript", "javascript", "const fs = require('fs'); process.stdout.write(fs.readFileSync(0) + process.argv[2]); fs.writeFileSync('out.txt', 'written', {mode: 0o600})", ""},
		{"javascript with a child", "javascript", `const fs = require('fs'); const out = require('child_process').execFileSync('/usr/bin/node', ['-p', '1+1']).toString();
if (out !== '2\n') throw out; process.stdout.write(fs.readFileSync(0) + process.argv[2]); fs.writeFileSync('out.txt', 'written')`, ""},
		{"java", "java", java, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			res, err := c.Run(patience.Context(t), job.Spec{
				ID: jobID(tt.name), Tenant: "t", Language: tt.language, Source: tt.source, Stdin: []byte("input "), Args: []string{"arg"}, OutputFiles: []string{"*.txt"},
			})
			if err != nil {
				t.Fatal(err)
			}
			if got := string(res.Last().Stdout.Data); res.Status != job.Succeeded || got != "input arg" || res.Tier != "task" {
				t.Errorf("%s, %s, tier %s, %q, stderr %s", res.Status, res.Verdict, res.Tier, got, res.Last().Stderr.Data)
			}
			if f := res.OutputFiles; f == nil || len(f.Files) != 1 || string(f.Files[0].Data) != "written" {
				t.Errorf("output files: %+v", f)
			}
		})
	}
}

// TestTaskHostile: what programs do against their limits, and to get at secrets, ends as in a jail.
func TestTaskHostile(t *testing.T) {
	c, _ := taskDaemon(t, "--one-job=false")
	small := job.Limits{WallMs: 2000 * patience.Slowness(), CPUMs: 10_000 * patience.Slowness(), MemoryBytes: 128 * job.MiB}
	tests := []struct {
		name, source string
		verdict      job.Verdict
	}{
		{"sleeps", "import time; time.sleep(1000)", job.WallTime},
		{"allocates", "a = []\nwhile True: a.append(bytearray(1 << 20))", job.OOMKilled},
		{"allocates in children", "import os\nfor i in range(8):\n  if os.fork() == 0:\n    b = bytearray(40 << 20)\n    while True: pass\nos.wait()", job.OOMKilled},
		{"fills the workspace", "import itertools\nfor i in itertools.count(): open(f'f{i}', 'wb').write(bytes(1 << 20))", job.OOMKilled},
		{"floods", "while True: print('x' * 4096)", job.OutputLimit},
		{"forks", "import os, time\nwhile True:\n  try: os.fork()\n  except OSError: time.sleep(0.1)", job.WallTime},
		{"reads the daemon's environment", "import os\nfor p in os.listdir('/proc'):\n  if p.isdigit() and int(p) != os.getpid():\n    for f in ('environ', 'mem', 'maps', 'fd/0', 'root/etc'):\n" +
			"      try: open(f'/proc/{p}/{f}', 'rb').read(1)\n      except OSError: continue\n      print('GOT', p, f)", job.Exited},
		{"connects", "import socket\nfor f in (socket.AF_INET, socket.AF_INET6, socket.AF_UNIX, 16, 17, 38, 40):\n  try: socket.socket(f)\n  except OSError: continue\n  print('GOT', f)", job.Exited},
		{"kills", "import os\nfor s in (9, 19):\n  for p in os.listdir('/proc'):\n    if p.isdigit() and int(p) != os.getpid():\n      try: os.kill(int(p), s)\n" +
			"      except OSError: continue\n      print('GOT', p)", job.Exited},
		{"writes elsewhere", "import os\nfor d in ('/run', '/usr', '/', '/etc', '/proc/sys/kernel', '/var/tmp', '/dev/mqueue', '/dev'):\n  try: open(d + '/x', 'w')\n  except OSError: continue\n  print('GOT', d)", job.Exited},
		{"leaves files", "import os\nfor d in ('/workspace', '/tmp', '/dev/shm'):\n  os.mkdir(d + '/planted'); os.chmod(d + '/planted', 0)", job.Exited},
		{"looks for files", "import os\nfor d in ('/workspace', '/tmp', '/dev/shm'):\n  print('GOT', d) if 'planted' in os.listdir(d) else 0", job.Exited},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			res, err := c.Run(patience.Context(t), job.Spec{ID: jobID(tt.name), Tenant: "t", Language: "python", Source: tt.source, Run: small})
			if err != nil {
				t.Fatal(err)
			}
			last := res.Last()
			if res.Verdict != tt.verdict || strings.Contains(string(last.Stdout.Data), "GOT") {
				t.Errorf("%s, evidence %v, %.300q, %.300q, want %s", res.Verdict, last.Evidence, last.Stdout.Data, last.Stderr.Data, tt.verdict)
			}
		})
	}
	for field, spec := range map[string]job.Spec{
		"network": {Network: job.NetworkLoopback}, "tests": {Tests: &job.Tests{List: []job.Test{{}}}},
	} {
		spec.ID, spec.Tenant, spec.Language, spec.Source = field, "t", "python", "print(1)"
		if res, err := c.Run(patience.Context(t), spec); job.ErrorCode(err) != job.EInvalid || !strings.Contains(err.Error(), field) {
			t.Errorf("%s: %v, %v, want it refused", field, res.Status, err)
		}
	}
}

// jobID is name as an id.
func jobID(name string) string { return strings.NewReplacer(" ", "-", "'", "").Replace(name) }

// TestTaskOneJob: a daemon of the tier task ends after its job, and gives no second one a sandbox.
func TestTaskOneJob(t *testing.T) {
	c, ended := taskDaemon(t)
	if _, err := c.Run(patience.Context(t), job.Spec{ID: "bad", Tenant: "t", Language: "nonsense", Source: "1"}); job.ErrorCode(err) != job.EInvalid {
		t.Errorf("a job that can't run: %v", err)
	}
	res, err := c.Run(patience.Context(t), job.Spec{ID: "1", Tenant: "t", Language: "python", Source: "print(42)"})
	if err != nil || res.Status != job.Succeeded {
		t.Errorf("%v, %v", res.Status, err)
	}
	if why := patience.Receive(t, ended, "the end of the daemon"); why != nil {
		t.Errorf("the daemon ended with %v", why)
	}
	ended <- nil
	if _, err := c.Run(patience.Context(t), job.Spec{ID: "2", Tenant: "u", Language: "python", Source: "print(43)"}); err == nil {
		t.Error("a second job ran")
	}
}
