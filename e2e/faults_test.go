package e2e

import (
	"errors"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// TestFaults: what can be wrong with a machine or a command line is one clear line on stderr, and says what to do.
func TestFaults(t *testing.T) {
	requireHost(t)
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	none, socket := filepath.Join(t.TempDir(), "none"), filepath.Join(t.TempDir(), "s")
	policy := file(t, "policy.json", `{"defaultAction":"SCMP_ACT_ERRNO","syscallz":[]}`)
	py := file(t, "a.py", "print(1)")
	up := []string{"up", "--dev", "--listen", "127.0.0.1:0", "--data", t.TempDir(), "--images", images(), "--socket", socket, "--cgroup", "ccee-e2e-faults"}
	daemon := []string{"daemon", "--images", images(), "--socket", socket, "--cgroup", "ccee-e2e-faults"}
	for _, tt := range []struct {
		name   string
		env    []string
		args   []string
		code   int
		stderr string
	}{
		{"no command", nil, []string{"fly"}, 2, `there is no command "fly"`},
		{"unknown flag", nil, []string{"up", "--fly"}, 2, "fly"},
		{"stray argument", nil, []string{"daemon", "x"}, 2, "takes no argument"},
		{"port taken", nil, append(up, "--listen", taken.Addr().String()), 1, "address already in use: choose another address with --listen"},
		{"dev key for the world", nil, append(up, "--listen", "0.0.0.0:0"), 2, "loopback only"},
		{"bad address", nil, append(up, "--listen", "8080"), 2, "must be HOST:PORT"},
		{"no key", nil, []string{"up", "--images", images()}, 1, "TENANT_API_KEYS_JSON is not set"},
		{"bad keys", []string{"TENANT_API_KEYS_JSON=[]"}, up, 1, "TENANT_API_KEYS_JSON: is not a JSON object"},
		{"no images", nil, append(up, "--images", none), 1, "no language images at " + none + ": run make images"},
		{"no redis-server", []string{"PATH=/nonexistent"}, up, 1, "redis-server is not installed"},
		{"data is a file", nil, append(up, "--data", py), 1, "choose another with --data"},
		{"socket in no directory", nil, append(up, "--socket", py+"/s"), 1, "choose another with --socket"},
		{"socket name too long for up", nil, append(up, "--socket", "/tmp/"+strings.Repeat("x", 120)), 1, "has 125 bytes, at most 107"},
		{"daemon without images", nil, append(daemon, "--images", t.TempDir()), 1, "run make images"},
		{"bad policy", nil, append(daemon, "--seccomp", policy), 1, "syscallz"},
		{"no policy", nil, append(daemon, "--seccomp", none), 1, "no such file"},
		{"socket name too long", nil, append(daemon, "--socket", "/tmp/"+strings.Repeat("x", 120)), 1, "xxx"},
		{"bad number in the environment", []string{"WORKER_CONCURRENCY=99"}, []string{"worker"}, 1, `"99" as int64 value from environment variable "WORKER_CONCURRENCY" for flag concurrency: must be a whole number from 1 to 32`},
		{"no number in the environment", []string{"RATE_LIMIT_REQUESTS_PER_MINUTE=many"}, []string{"api", "--dev"}, 1, `"RATE_LIMIT_REQUESTS_PER_MINUTE"`},
		{"bad number as a flag", nil, []string{"worker", "--concurrency", "0"}, 2, "from 1 to 32"},
		{"bad Redis URL", []string{"REDIS_URL=http://x"}, []string{"api", "--dev"}, 1, "REDIS_URL: the Redis URL is not of the form"},
		{"no daemon", nil, []string{"run", "--socket", none, py}, 125, "make run starts everything"},
		{"no file", nil, []string{"run", none}, 125, "no such file"},
		{"no file named", nil, []string{"run"}, 2, "needs a FILE"},
		{"no api", []string{"CCEE_API_KEY=x"}, []string{"submit", "--url", "http://127.0.0.1:1", py}, 125, "connection refused"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := ccee(t, "", tt.env, tt.args...)
			if got.code != tt.code || !strings.Contains(got.stderr, tt.stderr) || got.stdout != "" {
				t.Errorf("got %d, stdout %q, stderr %q; want %d and %q within", got.code, got.stdout, got.stderr, tt.code, tt.stderr)
			}
		})
	}
}

// TestNotRoot: the privileged commands say so, to a user who can't even reach the directory that the binary is in.
func TestNotRoot(t *testing.T) {
	requireHost(t)
	dir, err := os.MkdirTemp("", "ccee-e2e-bin-")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	bytes, err := os.ReadFile(binary)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(os.Chmod(dir, 0o755), os.WriteFile(filepath.Join(dir, "ccee"), bytes, 0o755)); err != nil {
		t.Fatal(err)
	}
	for _, command := range []string{"up", "daemon"} {
		cmd := exec.Command(filepath.Join(dir, "ccee"), command)
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 61523, Gid: 61523}}
		if got := wait(t, "", nil, cmd); got.code != 1 || !strings.Contains(got.stderr, "must run as root") || !strings.Contains(got.stderr, "not as uid 61523: try sudo") {
			t.Errorf("%s: %+v", command, got)
		}
	}
}

// TestSecondStack: neither the data directory nor the socket can be used twice.
func TestSecondStack(t *testing.T) {
	s := sharedUp(t)
	again := ccee(t, "", []string{keysEnv}, "up", "--listen", "127.0.0.1:0", "--data", s.data(), "--images", images())
	if again.code != 1 || !strings.Contains(again.stderr, "another ccee up uses "+s.data()) {
		t.Errorf("the same data directory: %+v", again)
	}
	other := ccee(t, "", []string{keysEnv}, "up", "--listen", "127.0.0.1:0", "--data", t.TempDir(), "--images", images(), "--socket", s.socket())
	if other.code != 1 || !strings.Contains(other.stderr, "a daemon is running on "+s.socket()) {
		t.Errorf("the same socket: %+v", other)
	}
	second := ccee(t, "", nil, "daemon", "--socket", s.socket(), "--images", images(), "--cgroup", s.name)
	if second.code != 1 || !strings.Contains(second.stderr, "a daemon is running on "+s.socket()) {
		t.Errorf("the same socket: %+v", second)
	}
}
