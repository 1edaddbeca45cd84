// SPDX-License-Identifier: Apache-2.0

package daemon

import (
	"errors"
	"os"
	"runtime"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/ccee-dev/ccee/job"
)

// What sockets hold that no cgroup is charged for is bounded all the same. Each program takes at most 150 MB, then waits to be ended.
func TestSocketsHarmNobody(t *testing.T) {
	s := realDaemon(t, func(o *Options) { o.Ready = 0 })
	const open = "import resource, socket, struct, time\nresource.setrlimit(resource.RLIMIT_NOFILE, (4096, 4096))\nheld = []\n"
	for _, tt := range []struct{ name, source, evidence string }{
		{"answers of netlink that nobody reads", `for i in range(20):
  s = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0); held.append(s); s.setsockopt(1, 8, 4 << 20); s.setblocking(False)
  try:
    for n in range(60): s.send(struct.pack('IHHII', 60016, 9999, 5, n, 0) + bytes(60000))
  except OSError: pass`, "netlink Rmem"},
		{"many netlink sockets", "for i in range(200):\n  s = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0); s.bind((0, 0)); held.append(s)", "netlink Rmem"},
		{"data for connections that nobody accepts", `l = socket.socket(); l.setsockopt(1, 8, 4 << 20); l.bind(('127.0.0.1', 0)); l.listen(512)
left = 150_000_000
for i in range(100):
  c = socket.create_connection(l.getsockname()); held.append(c); c.setblocking(False)
  try:
    while left > 0: left -= c.send(bytes(65536))
  except OSError: pass`, "rx_queue"},
		{"many sockets", "for i in range(2200):\n  s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.bind(('127.0.0.1', 0)); held.append(s)\n  if i % 2: s = socket.socket(); s.bind(('127.0.0.1', 0)); s.listen(1); held.append(s)\nimport os\nif os.fork() == 0 or os.fork() == 0:\n  more = []\n  for i in range(700):\n    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.bind(('127.0.0.1', 0)); more.append(s)\n  time.sleep(20)", "sockstat inuse"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := s.runSpec(t, job.Spec{Language: "python", Source: open + tt.source + "\nprint('all', flush=True)\ntime.sleep(20)",
				Run: job.Limits{WallMs: 60_000, CPUMillicores: 1000, OpenFiles: 4096, MemoryBytes: 256 * job.MiB}})
			step := last(t, r)
			if step.Usage.MemoryPeakBytes > 100*job.MiB { // on cgroup v2 some kernels do charge it
				return
			}
			if step.Verdict != job.OOMKilled || len(step.Evidence) == 0 || !strings.Contains(describeStep(step), tt.evidence) && !strings.Contains(describeStep(step), "kmem.tcp") {
				t.Errorf("want oom_killed by %s\n%s", tt.evidence, describeStep(step))
			}
		})
	}
	options := "for level, name in (6, 8), (0, 11), (41, 25):\n  try: (socket.socket(socket.AF_INET6) if level == 41 else socket.socket()).setsockopt(level, name, 1); print('set')\n  except OSError as e: print(e.errno)\n" +
		"u = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); u.sendmsg([b'x' * 9000], [(1, 37, struct.pack('I', 2))], 0, ('127.0.0.1', 9))\n" +
		"u.setblocking(False)\ntry: print('back', len(u.recvmsg(65536, 512, socket.MSG_ERRQUEUE)[0]))\nexcept OSError as e: print(e.errno)\n"
	step := last(t, s.runSpec(t, job.Spec{Language: "python", Source: open + options, Run: job.Limits{OpenFiles: 4096}}))
	want := "92\n92\n92\n11\n" // ENOPROTOOPT, EAGAIN
	if !ownTimestamps(t) {
		want = "92\n92\n92\nback 9042\n" // with the headers; what waits is bounded all the same
	}
	if got := string(step.Stdout.Data); got != want {
		t.Errorf("options: %q, want %q\n%s", got, want, describeStep(step))
	}
}

// ownTimestamps reports whether net.core.tstamp_allow_data is each network namespace's own; before it was, it is seen in the first one
// alone.
func ownTimestamps(t *testing.T) bool {
	t.Helper()
	found := make(chan error, 1)
	go func() {
		runtime.LockOSThread() // for good: the thread ends with the goroutine
		if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
			found <- err
			return
		}
		_, err := os.Stat("/proc/sys/net/core/tstamp_allow_data")
		found <- err
	}()
	err := <-found
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		t.Fatal(err)
	}
	return err == nil
}
