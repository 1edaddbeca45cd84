// SPDX-License-Identifier: Apache-2.0

package supervise

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ccee-dev/ccee/daemon"
	"github.com/ccee-dev/ccee/e2e/patience"
)

// requireRedis returns the path of redis-server. Without one it skips the test, or fails it with SANDBOX_MUST_WORK=1.
func requireRedis(t *testing.T) string {
	t.Helper()
	path, err := exec.LookPath("redis-server")
	if err != nil {
		if os.Getenv("SANDBOX_MUST_WORK") == "1" {
			t.Fatal("redis-server is not installed: make deps")
		}
		t.Skip("redis-server is not installed: make deps")
	}
	return path
}

// TestCheckAOF: half a transaction of a killed Redis is removed before the next start. Redis 7.0 itself would keep that half, and
// run it with the next transaction.
func TestCheckAOF(t *testing.T) {
	path := requireRedis(t)
	dir, err := os.MkdirTemp("", "aof")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	t.Chdir(dir)
	r := &redisServer{path: path}
	if cmd := r.checkAOF(); cmd != nil {
		t.Errorf("before the first start: %v", cmd)
	}
	cli := func(args ...string) string {
		out, err := exec.Command("redis-cli", append([]string{"-s", "redis.sock"}, args...)...).Output()
		if err != nil {
			return err.Error()
		}
		return strings.TrimSpace(string(out))
	}
	start := func() *exec.Cmd {
		cmd := r.command()
		cmd.Stdout, cmd.Stderr = nil, nil
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		for tick, until := time.NewTicker(10*time.Millisecond), time.Now().Add(patience.Long()); cli("PING") != "PONG"; <-tick.C {
			if time.Now().After(until) {
				t.Fatal("redis does not answer")
			}
		}
		return cmd
	}
	kill := func(cmd *exec.Cmd) {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	}
	redis := start()
	for range 2 {
		cli("EVAL", "redis.call('INCR', 'a') redis.call('INCR', 'b')", "0")
	}
	kill(redis)
	files, err := filepath.Glob("appendonlydir/*.incr.aof")
	if err != nil || len(files) != 1 {
		t.Fatalf("append-only files %v, %v", files, err)
	}
	all, err := os.ReadFile(files[0])
	if err != nil {
		t.Fatal(err)
	}
	half := bytes.LastIndex(all, []byte("\r\nb\r\n")) // within the last command of the second transaction
	if err := os.Truncate(files[0], int64(half)); err != nil {
		t.Fatal(err)
	}
	if err := r.checkAOF().Run(); err != nil {
		t.Fatal(err)
	}
	redis = start()
	cli("EVAL", "redis.call('INCR', 'c') redis.call('INCR', 'd')", "0")
	kill(redis)
	redis = start()
	defer kill(redis)
	if got := cli("MGET", "a", "b", "c"); got != "1\n1\n1" {
		t.Errorf("a, b, c are %q, want 1, 1, 1: half a transaction was run", got)
	}
}

// The Redis of ccee up has a bound, by default a quarter of the memory that there is, and never loses anything to stay within it.
func TestRedisMemory(t *testing.T) {
	all, err := daemon.MachineMemory()
	if err != nil {
		t.Fatal(err)
	}
	for mb, want := range map[int64]int64{0: max(all/4, 64<<20), 1: 64 << 20, 300: 300 << 20} {
		got, err := redisMemory(mb)
		if err != nil || got != want {
			t.Errorf("%d MiB: %d bytes, %v, want %d", mb, got, err, want)
		}
		args := strings.Join((&redisServer{memory: got}).command().Args, " ")
		if !strings.Contains(args, fmt.Sprintf("--maxmemory %d --maxmemory-policy noeviction", want)) {
			t.Errorf("%d MiB: redis-server is started with %s", mb, args)
		}
	}
}
