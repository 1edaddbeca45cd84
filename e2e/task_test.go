// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"bytes"
	"cmp"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/ccee-dev/ccee/daemon/client"
	"github.com/ccee-dev/ccee/e2e/fargate"
	"github.com/ccee-dev/ccee/e2e/patience"
	"github.com/ccee-dev/ccee/job"
)

// runnerDir is the directory of runnerRoot, once it was made; testMain removes it.
var runnerDir string

// runnerRoot makes the root of a container for the tier task: the languages' trees in one, and the binary. It takes some seconds, once.
var runnerRoot = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "ccee-runner-")
	if err != nil {
		return "", err
	}
	runnerDir = dir
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
		Copies: map[string]string{ // a store, for who looks for one
			"/run/index.json": filepath.Join(images(), "index.json"), "/run/oci-layout": filepath.Join(images(), "oci-layout"),
		},
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
	ended := startServing(t, cmd)
	return client.New(fmt.Sprintf("/proc/%d/root/run/d.sock", cmd.Process.Pid)), ended
}

// startServing starts a daemon and waits until its log says that it serves. What comes from the channel, its end, must be sent back.
func startServing(t *testing.T, cmd *exec.Cmd) (ended chan error) {
	t.Helper()
	log := &servingLog{serving: make(chan struct{})}
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended = make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		<-ended
		if t.Failed() {
			t.Logf("%s", log)
		}
	})
	late := time.NewTimer(patience.Long())
	defer late.Stop()
	select {
	case <-log.serving:
	case why := <-ended:
		ended <- why
		t.Fatalf("the daemon ended: %v", why)
	case <-late.C:
		t.Fatal("the daemon does not serve")
	}
	return ended
}

// servingLog keeps a daemon's log, and closes serving when that says so.
type servingLog struct {
	serving chan struct{}

	mu   sync.Mutex // guards all below
	text bytes.Buffer
	said bool
}

func (l *servingLog) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.text.Write(b); !l.said && strings.Contains(l.text.String(), `"message":"serving"`) {
		l.said = true
		close(l.serving)
	}
	return len(b), nil
}

func (l *servingLog) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
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
	out, err := onFargate(t, "daemon", "--socket", "/run/d.sock", "--images", "/run").CombinedOutput()
	if err == nil || strings.Contains(string(out), "serving") {
		t.Errorf("a daemon of the tier jail in a container that may make no jail: %v:\n%s", err, out)
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
	checkTaskRuns(t, c)
}

// checkTaskRuns runs programs of which each reads its input and its argument, and writes a file.
func checkTaskRuns(t *testing.T, c *client.Client) {
	for _, name := range taskPrograms(t, "runs-*") {
		t.Run(name, func(t *testing.T) {
			res := runTaskProgram(t, c, name, job.Limits{})
			if got := string(res.Last().Stdout.Data); res.Status != job.Succeeded || got != "input arg" || res.Tier != "task" {
				t.Errorf("%s, %s, tier %s, %q, stderr %s", res.Status, res.Verdict, res.Tier, got, res.Last().Stderr.Data)
			}
			if f := res.OutputFiles; f == nil || len(f.Files) != 1 || string(f.Files[0].Data) != "written" {
				t.Errorf("output files: %+v", f)
			}
		})
	}
}

// taskPrograms lists the programs in testdata/task that a pattern matches, by name. Each one's name ends in its language.
func taskPrograms(t *testing.T, pattern string) (names []string) {
	t.Helper()
	found, err := filepath.Glob(filepath.Join("testdata/task", pattern))
	if err != nil || len(found) == 0 {
		t.Fatalf("%s: %v, %v", pattern, found, err)
	}
	for _, path := range found {
		names = append(names, filepath.Base(path))
	}
	return names
}

func runTaskProgram(t *testing.T, c *client.Client, name string, limits job.Limits) job.Result {
	t.Helper()
	source, err := os.ReadFile(filepath.Join("testdata/task", name))
	if err != nil {
		t.Fatal(err)
	}
	languages := map[string]string{".py": "python", ".js": "javascript", ".java": "java"}
	res, err := c.Run(patience.Context(t), job.Spec{
		ID: name, Tenant: "t", Language: languages[filepath.Ext(name)], Source: string(source),
		Stdin: []byte("input "), Args: []string{"arg"}, OutputFiles: []string{"*.txt"}, Run: limits,
	})
	if err != nil {
		t.Fatal(err)
	}
	return res
}

// TestTaskHostile: what programs do against their limits, and to get at what is not theirs, ends as in a jail.
func TestTaskHostile(t *testing.T) {
	c, _ := taskDaemon(t, "--one-job=false")
	checkTaskHostile(t, c)
	for field, spec := range map[string]job.Spec{
		"network": {Network: job.NetworkLoopback}, "tests": {Tests: &job.Tests{List: []job.Test{{}}}},
	} {
		spec.ID, spec.Tenant, spec.Language, spec.Source = field, "t", "python", "print(1)"
		if res, err := c.Run(patience.Context(t), spec); job.ErrorCode(err) != job.EInvalid || !strings.Contains(err.Error(), field) {
			t.Errorf("%s: %v, %v, want it refused", field, res.Status, err)
		}
	}
}

// checkTaskHostile runs the programs that want more than is theirs.
func checkTaskHostile(t *testing.T, c *client.Client) {
	small := job.Limits{WallMs: 2000 * patience.Slowness(), CPUMs: 10_000 * patience.Slowness(), MemoryBytes: 128 * job.MiB}
	verdicts := map[string]job.Verdict{
		"allocates.py": job.OOMKilled, "allocates-in-children.py": job.OOMKilled, "fills-the-workspace.py": job.OOMKilled,
		"floods.py": job.OutputLimit, "forks.py": job.WallTime, "sleeps.py": job.WallTime,
	}
	for _, name := range taskPrograms(t, "*.py") {
		if strings.HasPrefix(name, "runs-") {
			continue
		}
		t.Run(name, func(t *testing.T) {
			res := runTaskProgram(t, c, name, small)
			last, want := res.Last(), cmp.Or(verdicts[name], job.Exited)
			if res.Verdict != want || strings.Contains(string(last.Stdout.Data), "GOT") {
				t.Errorf("%s, evidence %v, %.300q, %.300q, want %s", res.Verdict, last.Evidence, last.Stdout.Data, last.Stderr.Data, want)
			}
		})
	}
}

// TestTaskOneJob: a daemon of the tier task ends after its job, and gives no second one a sandbox.
func TestTaskOneJob(t *testing.T) {
	c, ended := taskDaemon(t)
	_, err := c.Run(patience.Context(t), job.Spec{ID: "bad", Tenant: "t", Language: "nonsense", Source: "1"})
	if job.ErrorCode(err) != job.EInvalid {
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
