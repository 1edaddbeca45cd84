// SPDX-License-Identifier: Apache-2.0

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

// TestFaults: each fault of a machine or a command line is one clear line on stderr, with what to do.
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
	up := []string{"up", "--dev", "--listen", "127.0.0.1:0", "--data", t.TempDir(), "--images", images(), "--socket", socket, "--cgroup", cgroupName("faults")}
	daemon := []string{"daemon", "--images", images(), "--socket", socket, "--cgroup", cgroupName("faults")}
	for _, tt := range []struct {
		name   string
		env    []string
		args   []string
		code   int
		stderr string
	}{
		{"a misspelt setting", []string{"CCEE_SLOT=2"}, append(up, "--dev"), 2, "the environment has CCEE_SLOT, which is no setting: the nearest one is CCEE_SLOTS"},
		{"no command", nil, []string{"fly"}, 2, `there is no command "fly"`},
		{"unknown flag", nil, []string{"up", "--fly"}, 2, "fly"},
		{"stray argument", nil, []string{"daemon", "x"}, 2, "takes no argument"},
		{"port taken", nil, append(up, "--listen", taken.Addr().String()), 1, "address already in use: choose another address with --listen"},
		{"dev key for the world", nil, append(up, "--listen", "0.0.0.0:0"), 2, "loopback only"},
		{"bad address", nil, append(up, "--listen", "8080"), 2, "must be HOST:PORT"},
		{"no key", nil, []string{"up", "--images", images()}, 1, "TENANT_API_KEYS_JSON is not set"},
		{"bad keys", []string{"TENANT_API_KEYS_JSON=[]"}, up, 1, "TENANT_API_KEYS_JSON: is not a JSON object"},
		{"a misspelt quota", []string{`TENANT_API_KEYS_JSON={"k":{"tenantId":"t","maxConcurrentJob":5}}`}, up, 1, `there is no member "maxConcurrentJob"`},
		{"an operator of no tenant", []string{`ADMIN_API_KEYS_JSON=["nokey"]`}, append(up, "--dev"), 1, "belong to no tenant"},
		{"a key that expired", nil, []string{"key", "new", "--tenant", "t", "--days", "-3"}, 2, "from 1 to 36500"},
		{"no days", nil, []string{"key", "new", "--tenant", "t", "--days", "0"}, 2, "from 1 to 36500"},
		{"a short key", nil, []string{"key", "hash", "--tenant", "t"}, 2, "which is empty"},
		{"no images", nil, append(up, "--images", none), 1, "no language images at " + none + ": run make images"},
		{"no redis-server", []string{"PATH=/nonexistent"}, up, 1, "redis-server is not installed"},
		{"data is a file", nil, append(up, "--data", py), 1, "choose another with --data"},
		{"socket in no directory", nil, append(up, "--socket", py+"/s"), 1, "choose another with --socket"},
		{"socket name too long for up", nil, append(up, "--socket", "/tmp/"+strings.Repeat("x", 120)), 1, "has 125 bytes, at most 107"},
		{"daemon without images", nil, append(daemon, "--images", t.TempDir()), 1, "run make images"},
		{"bad policy", nil, append(daemon, "--seccomp", policy), 1, "syscallz"},
		{"bad policy for up", []string{"CCEE_SECCOMP=" + policy}, up, 1, "syscallz"},
		{"no policy for up", []string{"CCEE_SECCOMP=" + none}, up, 1, "no such file"},
		{"bad languages for up", []string{"CCEE_LANGUAGES=" + policy}, up, 1, "CCEE_LANGUAGES: " + policy + ": it has no languages"},
		{"bad languages", []string{"CCEE_LANGUAGES=" + py}, []string{"api", "--dev"}, 1, "CCEE_LANGUAGES: " + py},
		{"no policy", nil, append(daemon, "--seccomp", none), 1, "no such file"},
		{"socket name too long", nil, append(daemon, "--socket", "/tmp/"+strings.Repeat("x", 120)), 1, "xxx"},
		{"bad number in the environment", []string{"WORKER_CONCURRENCY=9999"}, []string{"worker"}, 2, `invalid value "9999" for variable WORKER_CONCURRENCY: must be a whole number from 0 to 4096`},
		{"no number in the environment", []string{"RATE_LIMIT_REQUESTS_PER_MINUTE=many"}, []string{"api", "--dev"}, 2, `invalid value "many" for variable RATE_LIMIT_REQUESTS_PER_MINUTE: `},
		{"bad number as a flag", nil, []string{"worker", "--concurrency", "-1"}, 2, "from 0 to 4096"},
		{"bad Redis URL", []string{"REDIS_URL=http://x"}, []string{"api", "--dev"}, 1, "REDIS_URL: the Redis URL is not of the form"},
		{"bad Redis URL for up", []string{"REDIS_URL=foo"}, up, 1, "REDIS_URL: the Redis URL is not of the form"},
		{"no Redis for up", []string{"REDIS_URL=redis://127.0.0.1:1"}, up, 1, "connection refused: start that Redis, or unset REDIS_URL"},
		{"no daemon", nil, []string{"run", "--socket", none, py}, 125, "make run starts everything"},
		{"no file", nil, []string{"run", none}, 2, "no such file"},
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

// TestNotRoot: the commands report what another user lacks, even one who can't reach the directory of the binary.
func TestNotRoot(t *testing.T) {
	s := sharedUp(t)
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
	policy := filepath.Join(dir, "policy.json")
	if err := os.WriteFile(policy, []byte(ccee(t, "", nil, "seccomp", "show").stdout), 0o644); err != nil {
		t.Fatal(err)
	}
	program := filepath.Join(dir, "a.py")
	if err := os.WriteFile(program, []byte("print(1)"), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		args []string
		code int
		want string // of stdout and stderr together
	}{
		{[]string{"up"}, 1, "must run as root (the daemon builds jails), not as uid 65534: try sudo"},
		{[]string{"daemon"}, 1, "must run as root (it builds jails), not as uid 65534: try sudo"},
		{[]string{"run", "--socket", s.socket(), program}, 125, "uid 65534 may not use the daemon's socket " + s.socket() +
			": run this as root or as a member of the group ccee"},
		{[]string{"doctor", "--images", images()}, 1, "unknown  language images          uid 65534 can't read the directory " + images()},
		{[]string{"doctor", "--socket", s.socket()}, 1, "unknown  daemon                   uid 65534 may not use"},
		{[]string{"seccomp", "check", policy}, 0, "not tried in a sandbox: that needs root"},
	} {
		cmd := exec.Command(filepath.Join(dir, "ccee"), tt.args...)
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
		if got := wait(t, "", nil, cmd); got.code != tt.code || !strings.Contains(got.stdout+got.stderr, tt.want) {
			t.Errorf("%v: %+v, want %d and %q", tt.args, got, tt.code, tt.want)
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
