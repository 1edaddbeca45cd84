// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ccee-dev/ccee/e2e/patience"
)

// engine is podman with runc on a storage of its own, with what it started.
type engine struct {
	t    *testing.T
	args []string
	env  []string
}

// newEngine prepares podman. The limits must be within this machine's, which an engine without CAP_SYS_RESOURCE can't raise.
func newEngine(t *testing.T) *engine {
	t.Helper()
	requireHost(t)
	for _, tool := range []string{"podman", "runc"} {
		if _, err := exec.LookPath(tool); err == nil {
			continue
		}
		if os.Getenv("SANDBOX_MUST_WORK") == "1" {
			t.Fatal(tool + " is not installed: run make test-deps")
		}
		t.Skip(tool + " is not installed: run make test-deps")
	}
	dir := t.TempDir()
	conf := filepath.Join(dir, "containers.conf")
	text := "[containers]\ndefault_ulimits = [\"nofile=20000:20000\", \"nproc=20000:20000\"]\n" +
		"[engine]\nruntime = \"runc\"\ncgroup_manager = \"cgroupfs\"\nevents_logger = \"none\"\n"
	if err := os.WriteFile(conf, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	e := &engine{
		t: t, env: append(os.Environ(), "CONTAINERS_CONF="+conf),
		args: []string{"--root", filepath.Join(dir, "root"), "--runroot", filepath.Join(dir, "run")},
	}
	t.Cleanup(func() {
		for _, args := range [][]string{{"rm", "-af", "-t", "3"}, {"rmi", "-af"}} { // by name of this storage alone
			if out, err := e.try(args...); err != nil {
				t.Errorf("%v: %v\n%s", args, err, out)
			}
		}
	})
	return e
}

func (e *engine) try(args ...string) (string, error) {
	cmd := exec.Command("podman", append(append([]string{}, e.args...), args...)...)
	cmd.Env = e.env
	out, err := cmd.CombinedOutput()
	return strings.TrimSpace(string(out)), err
}

func (e *engine) do(args ...string) string {
	e.t.Helper()
	out, err := e.try(args...)
	if err != nil {
		e.t.Fatalf("podman %v: %v\n%s", args, err, out)
	}
	return out
}

// start starts an image as a container of that name, and waits until its own health check is content.
func (e *engine) start(name, health string, args ...string) {
	e.t.Helper()
	e.do(append([]string{"run", "-d", "--name", name}, args...)...)
	patience.Until(e.t, name+" is healthy", func() (bool, string) {
		if running, _ := e.try("inspect", "-f", "{{.State.Running}}", name); running != "true" {
			logs, _ := e.try("logs", name)
			e.t.Fatalf("%s has ended:\n%s", name, logs)
		}
		out, err := e.try("exec", name, "/usr/bin/ccee", "health", health)
		return err == nil, out
	})
}

// TestContainers starts the three images as ECS would: api and worker read-only, without a capability and not as root; the runner
// privileged, as on ECS on EC2. A job of each language goes through all of them.
func TestContainers(t *testing.T) {
	e := newEngine(t)
	out, err := os.MkdirTemp("", "ccee-e2e-images-") // podman makes a reference of it, which must be lower case: not so t.TempDir
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(out)
	build := exec.Command("go", "run", "./infra/images", "-images", images(), "-out", out, "-version", "test")
	build.Dir, build.Env = "..", append(os.Environ(), "SOURCE_DATE_EPOCH=1700000000")
	if text, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v: %v\n%s", build.Args, err, text)
	}
	image := map[string]string{}
	for _, role := range []string{"api", "worker", "runner"} {
		lines := strings.Split(e.do("pull", "-q", "oci:"+filepath.Join(out, role)+":"+role), "\n")
		image[role] = lines[len(lines)-1]
	}
	sockets := t.TempDir()
	redis := startRedis(t)
	address, metrics := freePort(t), freePort(t)
	locked := []string{"--read-only", "--read-only-tmpfs=false", "--cap-drop", "all", "--security-opt", "no-new-privileges",
		"--network", "host", "-e", "REDIS_URL=" + redis}
	e.start("runner", "daemon", "--privileged", "--network", "none", "--cgroupns", "host", "-v", sockets+":/run/ccee", image["runner"],
		"daemon", "--cgroup", cgroupName("container"))
	e.start("worker", "worker", append(locked, "-v", sockets+":/run/ccee", "-e", "WORKER_METRICS_LISTEN="+metrics,
		image["worker"])...)
	e.start("api", "api", append(locked, "-e", "CCEE_LISTEN="+address, "-e", keysEnv, image["api"])...)
	for _, name := range []string{"api", "worker"} {
		if user := e.do("inspect", "-f", "{{.Config.User}}", name); user != "1000:1000" {
			t.Errorf("%s runs as %s", name, user)
		}
	}
	url := "http://" + address
	for _, hello := range []string{"python/hello.py", "javascript/hello.js", "java/hello.java"} {
		t.Run(filepath.Dir(hello), func(t *testing.T) {
			cmd := exec.Command(binary, "submit", filepath.Join("..", "images", hello))
			cmd.Env = append(os.Environ(), "CCEE_URL="+url, "CCEE_API_KEY="+key)
			got, err := cmd.CombinedOutput()
			want, _ := os.ReadFile(filepath.Join("..", "images", filepath.Dir(hello), "hello.out"))
			if err != nil || string(got) != string(want) {
				worker, _ := e.try("logs", "worker")
				t.Errorf("got %q, %v, want %q; the worker's log:\n%s", got, err, want, worker)
			}
		})
	}
}

// startRedis starts a Redis for one test and returns its URL.
func startRedis(t *testing.T) string {
	t.Helper()
	address := freePort(t)
	_, port, _ := strings.Cut(address, ":")
	cmd := exec.Command("redis-server", "--bind", "127.0.0.1", "--port", port, "--save", "", "--dir", t.TempDir())
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	patience.Until(t, "redis listens", func() (bool, string) {
		c, err := net.Dial("tcp", address)
		if err != nil {
			return false, err.Error()
		}
		return true, fmt.Sprint(c.Close())
	})
	return "redis://" + address
}
