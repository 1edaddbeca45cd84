// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/ccee-dev/ccee/e2e/patience"
)

// readiness is the part of GET /ready and GET /health/summary that is about what can run.
type readiness struct {
	Status    string
	Reasons   []string
	CanRun    bool
	Workers   struct{ Alive, Ready int }
	Languages []string
	Warnings  []string
	Queue     struct{ Pending, Stuck int }
}

func (s *stack) readiness(path string) (status int, a readiness, err error) {
	status, body, err := s.request("GET", path, "", nil)
	if err == nil {
		err = json.Unmarshal(body, &a)
	}
	return status, a, err
}

// wantReadiness waits until GET /ready answers 200 and reports so many workers, alive and ready, and a warning with that text.
func (s *stack) wantReadiness(t *testing.T, alive, ready int, warning string) {
	t.Helper()
	patience.Until(t, fmt.Sprintf("%d workers are alive, %d ready, warning %q", alive, ready, warning), func() (bool, string) {
		status, a, err := s.readiness("/ready")
		ok := err == nil && status == 200 && a.Status == "ready" && a.CanRun == (ready > 0) && len(a.Languages) > 0 == (ready > 0) &&
			a.Workers.Alive == alive && a.Workers.Ready == ready && strings.Contains(strings.Join(a.Warnings, "; "), warning)
		return ok, fmt.Sprintf("%d %+v %v", status, a, err)
	})
	// All other answers agree. Metrics and summary are up to two seconds old.
	patience.Until(t, "all others say so too", func() (bool, string) {
		_, sum, err := s.readiness("/health/summary")
		_, runtimes, err2 := s.request("GET", "/v1/runtimes", "", nil)
		_, metrics, err3 := s.request("GET", "/metrics", "", nil)
		can := strings.Contains(string(runtimes), `"available":true`)
		gauges := fmt.Sprintf("ccee_worker_running %d", ready)
		ok := err == nil && err2 == nil && err3 == nil && sum.CanRun == (ready > 0) && sum.Workers.Ready == ready && can == (ready > 0) &&
			strings.Contains(string(metrics), "\n"+gauges+"\n")
		return ok, fmt.Sprintf("%+v %s %v %v %v", sum, runtimes, err, err2, err3)
	})
}

// accept submits a hello, which must be accepted, and returns its id.
func (s *stack) accept(t *testing.T) string {
	t.Helper()
	status, answer, err := s.request("POST", "/v1/jobs", "dev-local-key", python("print('hello')"))
	var j jobObject
	if err != nil || status != 202 || json.Unmarshal(answer, &j) != nil {
		t.Fatalf("POST: %d %s %v, want 202", status, answer, err)
	}
	return j.JobID
}

// wantDone waits until the job ends, which must be as expected and at its first attempt.
func (s *stack) wantDone(t *testing.T, id string) {
	t.Helper()
	patience.Until(t, "the job succeeds at its first attempt", func() (bool, string) {
		_, body, err := s.request("GET", "/v1/jobs/"+id, "dev-local-key", nil)
		return err == nil && strings.Contains(string(body), `"stdout":"hello\n"`) && strings.Contains(string(body), `"made":1`), fmt.Sprint(string(body), err)
	})
}

// kill ends a part as a fault would.
func (p *part) kill(t *testing.T) {
	t.Helper()
	if err := p.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = p.cmd.Wait()
}

// TestAway stops each part in turn. Jobs are accepted while Redis is reachable, they wait and lose no attempt, and GET /ready reports it.
func TestAway(t *testing.T) {
	requireHost(t)
	dir, err := os.MkdirTemp("", "ccee-e2e-away-")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	env := []string{"REDIS_URL=unix://" + filepath.Join(dir, "redis.sock"), "CCEE_SOCKET=" + filepath.Join(dir, "daemon.sock"), "CCEE_IMAGES=" + images()}
	redis := func() *part {
		return startPart(t, nil, "redis-server", "--port", "0", "--unixsocket", filepath.Join(dir, "redis.sock"),
			"--dir", dir, "--appendonly", "yes", "--appendfsync", "always", "--save", "")
	}
	db := redis()
	api := func(more ...string) *stack {
		s := &stack{url: "http://" + freePort(t), name: cgroupName("away")}
		startPart(t, env, binary, append([]string{"api", "--dev", "--listen", strings.TrimPrefix(s.url, "http://")}, more...)...)
		return s
	}
	s := api()

	// Only an api, and an empty Redis.
	s.wantReadiness(t, 0, 0, "no worker is alive")
	first := s.accept(t)
	if status, answer, err := s.request("POST", "/v1/jobs", "dev-local-key", body{"language": "cobol", "sourceCode": "x"}); status != 400 || err != nil {
		t.Errorf("an unknown language: %d %s %v, want 400", status, answer, err)
	}
	patience.Until(t, "it waits where autoscaling looks", func() (bool, string) {
		_, sum, err := s.readiness("/health/summary")
		return err == nil && sum.Queue.Pending == 1 && sum.Queue.Stuck == 1, fmt.Sprintf("%+v %v", sum, err)
	})
	metrics := freePort(t)
	worker := func() *part { return startPart(t, append(env, "WORKER_METRICS_LISTEN="+metrics), binary, "worker") }
	w := worker()
	s.wantReadiness(t, 1, 0, "1 worker is alive, none has a daemon that can run jobs")
	daemon := func() *part { return startPart(t, env, binary, "daemon", "--cgroup", s.name) }
	d := daemon()
	s.wantDone(t, first)
	s.wantReadiness(t, 1, 1, "")

	t.Run("daemon", func(t *testing.T) {
		d.kill(t)
		s.wantReadiness(t, 1, 0, "1 worker is alive, none has a daemon that can run jobs")
		if text := scrape(t, http.DefaultClient, "http://"+metrics+"/metrics"); !strings.Contains(text, "\nccee_worker_backend_ready 0\n") {
			t.Error("the worker's metrics don't say that its daemon is away")
		}
		ids := []string{s.accept(t), s.accept(t), s.accept(t)}
		d = daemon()
		for _, id := range ids {
			s.wantDone(t, id)
		}
		s.wantReadiness(t, 1, 1, "")
	})
	t.Run("spawner", func(t *testing.T) {
		for _, p := range processes() {
			if p.parent == d.cmd.Process.Pid && p.args[0] == "sandbox-init" {
				if err := syscall.Kill(p.pid, syscall.SIGKILL); err != nil {
					t.Fatal(err)
				}
			}
		}
		s.wantReadiness(t, 1, 1, "") // there is another as soon as somebody asks
		s.wantDone(t, s.accept(t))
	})
	t.Run("worker", func(t *testing.T) {
		w.kill(t)
		s.wantReadiness(t, 0, 0, "no worker is alive")
		id := s.accept(t)
		// An api that starts now knows the same, though no worker has announced a language to it.
		later := api("--languages", "none")
		later.wantReadiness(t, 0, 0, "no worker is alive")
		other := later.accept(t)
		w = worker()
		s.wantDone(t, id)
		later.wantDone(t, other)
	})
	t.Run("redis", func(t *testing.T) {
		db.kill(t)
		s.wantUnavailable(t)
		if status, a, err := s.readiness("/ready"); status != 503 || err != nil || a.CanRun || len(a.Reasons) != 1 {
			t.Errorf("GET /ready without Redis: %d %+v %v", status, a, err)
		}
		patience.Until(t, "the metrics say that Redis is away, and nothing else of the queue", func() (bool, string) {
			text := string(must(s.request("GET", "/metrics", "", nil)))
			return strings.Contains(text, "\nccee_queue_up 0\n") && !strings.Contains(text, "ccee_worker_running"), text
		})
		redis()
		s.wantReadiness(t, 1, 1, "")
		s.wantDone(t, s.accept(t))
	})
}

func must(_ int, body []byte, err error) []byte {
	if err != nil {
		return []byte(err.Error())
	}
	return body
}

// withoutOpenat returns a policy that is well-formed and under which no program starts.
func withoutOpenat(t *testing.T) string {
	t.Helper()
	var policy map[string]any
	if err := json.Unmarshal([]byte(ccee(t, "", nil, "seccomp", "show").stdout), &policy); err != nil {
		t.Fatal(err)
	}
	policy["syscalls"] = slices.DeleteFunc(policy["syscalls"].([]any), func(rule any) bool {
		r := rule.(map[string]any)
		names := slices.DeleteFunc(r["names"].([]any), func(n any) bool { return n == "openat" })
		r["names"] = names
		return len(names) == 0 // a rule must have a name
	})
	b, err := json.Marshal(policy)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// TestBadPolicy: a policy file that is replaced by a bad one takes nothing down. The daemon serves under the last one that worked; when
// that is gone too, jobs wait, api and Redis live, and the log does not fill.
func TestBadPolicy(t *testing.T) {
	good := ccee(t, "", nil, "seccomp", "show").stdout
	policy := file(t, "policy.json", good)
	s := ownStack(t, "CCEE_SECCOMP="+policy) // the built-in one, as a file
	kept := filepath.Join(s.data(), "seccomp-kept.json")
	if b, err := os.ReadFile(kept); err != nil || string(b) != good {
		t.Fatalf("the policy that serves is not kept: %v", err)
	}
	write(t, policy, withoutOpenat(t))
	s.kill9(t, "daemon")
	hello := func() {
		t.Helper()
		if j := s.run(t, python("print('hello')")); j.Status != "succeeded" {
			t.Errorf("%+v", j)
		}
	}
	hello()
	s.wantLogged(t, "the last one that worked is used")
	s.wantReadiness(t, 1, 1, "")

	if err := os.Remove(kept); err != nil {
		t.Fatal(err)
	}
	s.kill9(t, "daemon")
	s.wantReadiness(t, 1, 0, "none has a daemon that can run jobs")
	id := s.submit(t, python("print('hello')"))
	// Five deaths in a row take down a stack that can't do without the part; this one can. A daemon that can't start may live too short
	// to be found in /proc, but it reads the policy.
	opened := opens(t, policy)
	for range 6 {
		patience.Receive(t, opened, "the daemon is restarted again and again")
	}
	select {
	case <-s.ended:
		t.Fatalf("ccee up ended: %v", s.err)
	default:
	}
	write(t, policy, good)
	if j, err := s.await(id, patience.Long()); err != nil || j.Status != "succeeded" {
		t.Errorf("the job that waited: %+v, %v", j, err)
	}
	if n := s.count("it refuses what the built-in policy allows (openat)"); n == 0 || n > 4 {
		t.Errorf("the log has %d times why the daemon can't start", n)
	}
}

// opens receives a value each time that somebody opens a file; see inotify(7).
func opens(t *testing.T, path string) <-chan struct{} {
	t.Helper()
	fd, err := unix.InotifyInit1(unix.IN_CLOEXEC | unix.IN_NONBLOCK) // else Close would not end a Read
	if err != nil {
		t.Fatal(err)
	}
	f := os.NewFile(uintptr(fd), "inotify")
	t.Cleanup(func() { f.Close() })
	if _, err := unix.InotifyAddWatch(fd, path, unix.IN_OPEN); err != nil {
		t.Fatal(err)
	}
	opened := make(chan struct{}, 100)
	go func() {
		b := make([]byte, unix.SizeofInotifyEvent) // of a file, an event has no name: one each time
		for {
			if n, err := f.Read(b); err != nil || n != len(b) {
				return
			}
			select {
			case opened <- struct{}{}:
			default: // nobody counts any more
			}
		}
	}()
	return opened
}

// count returns how often the log has that text.
func (s *stack) count(what string) int {
	b, _ := os.ReadFile(filepath.Join(s.dir, "log"))
	return strings.Count(string(b), what)
}

func (s *stack) wantLogged(t *testing.T, what string) {
	t.Helper()
	patience.Until(t, "the log has "+what, func() (bool, string) { return s.count(what) > 0, s.logged() })
}
