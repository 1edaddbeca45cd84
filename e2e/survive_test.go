// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"bufio"
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/ccee-dev/ccee/daemon/client"
	"github.com/ccee-dev/ccee/e2e/patience"
	"github.com/ccee-dev/ccee/job"
)

// hostile are programs that try to outlive, outgrow or confuse the daemon, with the verdicts that are right for them. Limits
// that a program can hit in either order leave more than one.
var hostile = []struct {
	name, language, source string
	want                   []job.Verdict
}{
	{"well-behaved", "python", "print('x')", []job.Verdict{job.Exited}},
	{"memory bomb", "python", "a = []\nwhile True: a.append(b'x' * (1 << 20))", []job.Verdict{job.OOMKilled}},
	{"fork bomb", "python", "import os\nwhile True:\n  try: os.fork()\n  except OSError: pass", []job.Verdict{job.WallTime, job.CPUTime, job.OOMKilled}},
	{"daemons", "python", "import os, time\nfor i in range(20):\n  if os.fork() == 0:\n    os.setsid()\n    if os.fork() == 0: time.sleep(1000)\n    os._exit(0)\nprint('gone')", []job.Verdict{job.Exited}},
	{"ignores signals", "python", "import signal, time\nfor s in range(1, 65):\n  try: signal.signal(s, signal.SIG_IGN)\n  except OSError: pass\n  except ValueError: pass\ntime.sleep(1000)", []job.Verdict{job.WallTime}},
	{"output flood", "python", "import os\nwhile True: os.write(1, b'x' * 65536)", []job.Verdict{job.OutputLimit, job.WallTime}},
	{"drip", "python", "import os\nwhile True: os.write(2, b'.')", []job.Verdict{job.WallTime, job.OutputLimit, job.CPUTime}},
	{"disk full", "python", "f = open('/workspace/f', 'wb')\nwhile True: f.write(b'x' * 65536)", []job.Verdict{job.FileSize, job.Exited, job.Signaled}},
	{"inodes", "python", "import os\nfor i in range(10**6): os.close(os.open(f'/tmp/{i}', os.O_CREAT))", []job.Verdict{job.Exited}},
	{"denied calls", "python", "import ctypes\nc = ctypes.CDLL(None)\nwhile True: c.syscall(101, 0, 1, 0, 0)", []job.Verdict{job.WallTime}},
	{"killed by itself", "python", "import os\nos.kill(0, 9)", []job.Verdict{job.Signaled}},
	{"kills all", "python", "import os\nos.kill(-1, 9)\nprint('alone')", []job.Verdict{job.Exited}},
	{"threads", "python", "import threading, time\nwhile True:\n  try: threading.Thread(target=time.sleep, args=(1000,)).start()\n  except RuntimeError: break\nimport os; os._exit(0)", []job.Verdict{job.Exited, job.PidsLimit, job.OOMKilled, job.WallTime}},
	{"descriptors in flight", "python", "import socket, os\nl = []\nwhile True:\n  try:\n    a, b = socket.socketpair()\n    socket.send_fds(a, [b'x'], [0, 1, 2, a.fileno(), b.fileno()])\n    l.append((a, b))\n  except OSError: os._exit(3)", []job.Verdict{job.Exited}},
	{"pipes", "python", "import os\nl = []\nwhile True:\n  try:\n    r, w = os.pipe(); os.set_blocking(w, False); os.write(w, b'x' * 65536)\n  except OSError: os._exit(3)", []job.Verdict{job.Exited, job.OOMKilled}},
	{"crash", "python", "import ctypes\nctypes.string_at(0)", []job.Verdict{job.Signaled}},
	{"closed streams", "python", "import os\nfor i in range(3): os.close(i)\nwhile True: pass", []job.Verdict{job.WallTime, job.CPUTime}},
	{"links", "python", "import os\nos.symlink('/proc/1/root', 'out')\nos.mkfifo('fifo')\nos.chmod('.', 0)", []job.Verdict{job.Exited}},
	{"stopped", "python", "import os, signal\nos.kill(os.getpid(), signal.SIGSTOP)", []job.Verdict{job.WallTime}},
	{"memory, JavaScript", "javascript", "const a = []; for (;;) a.push(Buffer.alloc(1 << 20, 1))", []job.Verdict{job.OOMKilled, job.Signaled, job.Exited}},
	{"children, JavaScript", "javascript", "const c = require('child_process'); for (let i = 0; i < 50; i++) c.spawn('/usr/bin/node', ['-e', 'for(;;);'], {detached: true, stdio: 'inherit'}).on('error', () => {})", []job.Verdict{job.WallTime, job.CPUTime, job.OOMKilled, job.PidsLimit}},
}

// survivor is a daemon under attack, whichever process it is at the moment.
type survivor struct {
	name, socket string
	env          []string
	daemon       *part
	client       *client.Client
	begun        int
	lost         atomic.Int64 // jobs that a killed daemon took with it
}

// start starts the daemon, anew if it was killed.
func (s *survivor) start(t *testing.T) {
	t.Helper()
	s.daemon = startPart(t, s.env, binary, "daemon", "--cgroup", s.name)
	eventually(t, "the daemon is ready", 30*time.Second, func() (bool, string) {
		err := s.client.Ready(t.Context())
		return err == nil, fmt.Sprint(err)
	})
}

// attack runs n random jobs, 16 at a time, fewer if the daemon is killed meanwhile.
func (s *survivor) attack(t *testing.T, rng *rand.Rand, n int, killed <-chan struct{}) {
	queue := make(chan int)
	var all sync.WaitGroup
	for range 16 {
		all.Go(func() {
			for i := range queue {
				s.run(t, i)
			}
		})
	}
	for range n {
		select {
		case queue <- rng.IntN(len(hostile)):
			s.begun++
		case <-killed:
		}
	}
	close(queue)
	all.Wait()
}

var hostileID atomic.Int64

func (s *survivor) run(t *testing.T, which int) {
	h := hostile[which]
	wall := int64(60_000) // for what ends by itself, sooner or later
	if slices.Contains(h.want, job.WallTime) {
		wall = 500 * patience.Slowness()
	}
	spec := job.Spec{
		ID: fmt.Sprintf("hostile-%d", hostileID.Add(1)), Language: h.language, Source: h.source,
		Run: job.Limits{WallMs: wall, CPUMs: 10_000, FloodBytes: 4 << 20, MemoryBytes: 64 << 20},
	}
	res, err := s.client.Run(patience.Context(t), spec)
	switch {
	case err != nil && (job.ErrorCode(err) == job.EUnavailable || strings.Contains(err.Error(), "daemon")):
		s.lost.Add(1)
	case err != nil:
		t.Errorf("%s: %v", h.name, err)
	case !slices.Contains(h.want, res.Verdict):
		t.Errorf("%s: %s, want one of %v; %.500q", h.name, res.Verdict, h.want, res.Last().Stderr.Data)
	}
}

// figures are what may leak.
type figures struct {
	descriptors, threads, goroutines, children, cgroups, mounts int
	memory                                                      int64 // bytes, of the daemon
}

func (s *survivor) figures(t *testing.T) figures {
	t.Helper()
	pid := s.daemon.cmd.Process.Pid
	count := func(pattern string) int {
		found, _ := filepath.Glob(pattern)
		return len(found)
	}
	f := figures{
		descriptors: count(fmt.Sprintf("/proc/%d/fd/*", pid)), threads: count(fmt.Sprintf("/proc/%d/task/*", pid)),
		cgroups: len((&stack{name: s.name}).jails()), mounts: len(mounts(t)),
	}
	descends, all := map[int]bool{pid: true}, processes()
	for before := -1; before != f.children; { // numbers wrap, so a child may stand before its parent
		before = f.children
		for _, p := range all {
			if descends[p.parent] && !descends[p.pid] {
				descends[p.pid] = true
				f.children++
			}
		}
	}
	metrics := s.metrics(t)
	f.goroutines, f.memory = int(metrics["go_goroutines"]), int64(metrics["process_resident_memory_bytes"])
	return f
}

// TestSurvives runs hostile jobs at random, kills the daemon in between, and looks for what is left. CCEE_HOSTILE_JOBS
// says how many; 2000 take some minutes.
func TestSurvives(t *testing.T) {
	requireHost(t)
	n := 160
	if text := os.Getenv("CCEE_HOSTILE_JOBS"); text != "" {
		var err error
		if n, err = strconv.Atoi(text); err != nil {
			t.Fatalf("CCEE_HOSTILE_JOBS: %v", err)
		}
	}
	socket := filepath.Join(t.TempDir(), "daemon.sock")
	s := &survivor{name: cgroupName("survives"), socket: socket, client: client.New(socket)}
	defer s.client.Close()
	// Without runtimes that wait: how many processes there are depends on which languages came last.
	s.env = []string{"CCEE_SOCKET=" + socket, "CCEE_IMAGES=" + images(), "CCEE_WARM=false"}
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d, %d jobs", seed, n)
	rng := rand.New(rand.NewPCG(seed, 0))
	s.start(t)
	for range 3 {
		killed := make(chan struct{})
		go func() { // in the middle, which the clock decides as it would out there
			defer close(killed)
			eventually(t, "jobs run", 10*time.Second, func() (bool, string) { return len((&stack{name: s.name}).jails()) > 4, "none" })
			_ = syscall.Kill(s.daemon.cmd.Process.Pid, syscall.SIGKILL)
		}()
		s.attack(t, rng, n/8, killed)
		patience.Receive(t, killed, "the daemon is killed")
		_ = s.daemon.cmd.Wait()
		s.start(t)
	}
	s.attack(t, rng, n/8, nil)
	before := s.settled(t)
	s.attack(t, rng, n-s.begun, nil)
	after := s.settled(t)
	t.Logf("%d jobs, of which %d were lost with a killed daemon\nbefore %+v\nafter  %+v", s.begun, s.lost.Load(), before, after)
	// Go keeps the threads that blocked in the kernel at once, at most a few for each of the 16 jobs; more is a leak.
	const threads = 64
	if after.descriptors > before.descriptors+2 || after.goroutines > before.goroutines+2 || after.children != before.children ||
		after.mounts != before.mounts || after.threads > threads || after.memory > 2*before.memory {
		t.Errorf("something is left over: before %+v, after %+v", before, after)
	}
}

// ready is CCEE_READY's default.
const ready = 8

// settled returns the figures once the sandboxes of the last jobs are torn down, and as many are ready as there may be: one that is being
// made has descriptors, and a process or not.
func (s *survivor) settled(t *testing.T) figures {
	t.Helper()
	eventually(t, "no sandbox is left", 30*time.Second, func() (bool, string) {
		left, m := (&stack{name: s.name}).jails(), s.metrics(t)
		return len(left) == 0 && m["ccee_daemon_slots_used"] == 0 && m["ccee_daemon_ready_sandboxes"] == ready, fmt.Sprint(left, m)
	})
	return s.figures(t)
}

// metrics reads the daemon's metrics that have no labels.
func (s *survivor) metrics(t *testing.T) map[string]float64 {
	t.Helper()
	c := http.Client{Transport: &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "unix", s.socket)
	}}}
	resp, err := c.Get("http://daemon/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	out := map[string]float64{}
	for lines := bufio.NewScanner(resp.Body); lines.Scan(); {
		if name, value, ok := strings.Cut(lines.Text(), " "); ok {
			out[name], _ = strconv.ParseFloat(value, 64)
		}
	}
	return out
}
