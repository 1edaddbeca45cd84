// SPDX-License-Identifier: Apache-2.0

package nsjail

import (
	"fmt"
	"net"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// looped is a config with a loopback.
func (b *box) looped() Config {
	cfg := b.config()
	cfg.Loopback = true
	return cfg
}

// TestLoopback: 127.0.0.1 and ::1 work in a sandbox that has a loopback, on any port, and in no other; what is there is the sandbox's own.
func TestLoopback(t *testing.T) {
	b := requireSandbox(t)
	server, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	port := fmt.Sprint(server.Addr().(*net.TCPAddr).Port)
	for _, tt := range []struct {
		args []string
		want string // with a loopback
		none string // without
	}{
		{[]string{"echo-tcp", "127.0.0.1", "0"}, "hello", "Network is unreachable"},
		{[]string{"echo-tcp", "127.0.0.1", "80"}, "hello", "Permission denied"}, // of the port
		{[]string{"echo-tcp", "::1", "0"}, "hello", "Cannot assign requested address"},
		{[]string{"echo-udp", "127.0.0.1", "0"}, "hello", "Network is unreachable"},
		{[]string{"echo-udp", "::1", "53"}, "hello", "Permission denied"},
		{[]string{"connect", "127.0.0.1", port}, "Connection refused", "Network is unreachable"}, // the host's
		{[]string{"connect", "192.0.2.1", "53"}, "Network is unreachable", "Network is unreachable"},
		{[]string{"connect", "2606:4700::1111", "53"}, "Network is unreachable", ""}, // older kernels: Cannot assign requested address
	} {
		for _, loopback := range []bool{false, true, true, false} { // each kind after each
			cfg, want := b.config(), tt.none
			if cfg.Loopback = loopback; loopback {
				want = tt.want
			}
			r := b.runIn(t, cfg, process(tt.args...))
			got := strings.TrimSpace(string(r.Stdout.Data))
			if !loopback && (got == "Permission denied" || want == "" && got != "connected" && got != "hello") {
				continue // Landlock knows TCP here, and says it first
			}
			if got != want {
				t.Errorf("%v, loopback %v: %q, want %q", tt.args, loopback, got, want)
			}
		}
	}
}

// TestNetworksAreApart: a server in one sandbox is not there for another, nor for the host.
func TestNetworksAreApart(t *testing.T) {
	b := requireSandbox(t)
	p := process("serve", "127.0.0.1", "8080")
	listening, done := make(chan struct{}), make(chan Result, 1)
	p.OnOutput = func(Chunk, []byte) { close(listening) }
	p.Stdin = []byte("x")
	sb := b.sandboxOf(t, b.looped())
	p.WallTime = 5 * time.Second
	go func() { done <- b.runStep(t, sb, p) }()
	<-listening
	if got := string(b.runIn(t, b.looped(), process("connect", "127.0.0.1", "8080")).Stdout.Data); got != "Connection refused\n" {
		t.Errorf("another sandbox: %q, want Connection refused", got)
	}
	if conn, err := net.Dial("tcp4", "127.0.0.1:8080"); err == nil {
		conn.Close()
		t.Error("the host reaches it, or has a server of its own on port 8080")
	}
	sb.kill()
	<-done
}

// TestSocketMemory: what TCP and UDP sockets hold is bounded. The filter allows everything here.
func TestSocketMemory(t *testing.T) {
	b := withoutLandlock(t)
	const limit = 8 << 20
	for _, form := range []string{"tcp", "udp", "backlog"} {
		t.Run(form, func(t *testing.T) {
			cfg, p := roomy(b.looped(), limit, "take", form, forever)
			p.WallTime = 10 * time.Second
			if form == "udp" {
				p.WallTime = 2 * time.Second // it has all that it can have
			}
			sb := b.sandboxOf(t, cfg)
			r := b.runStep(t, sb, p)
			// A sender that is refused memory waits, or what it sends is lost.
			if r.Verdict != OOMKilled && r.Verdict != WallTime {
				t.Errorf("%+v, want OOMKilled or WallTime", r)
			}
			if r.Usage.MemoryPeak > limit+limit/2 { // on v2 the one packet that each socket may have is in it
				t.Errorf("memory peak %d, want at most %d", r.Usage.MemoryPeak, limit)
			}
			if form == "backlog" {
				over := slices.ContainsFunc(r.Evidence, func(e Evidence) bool { return e.Source == "sockstat inuse" && e.Value > e.Limit })
				if r.Verdict != OOMKilled || !over {
					t.Errorf("%+v, want OOMKilled for more sockets than its memory has room for", r)
				}
				return
			}
			if sb.cg.at.v2() {
				return // it is in that
			}
			peak, err := readValue(sb.cg.at.memory, "memory.kmem.tcp.max_usage_in_bytes", "")
			if err != nil {
				t.Fatal(err)
			}
			t.Logf("%s: %d bytes in sockets", form, peak)
			// Sockets that wait for the next look; of UDP the kernel lets none pass.
			most := map[string]int64{"tcp": 16 * socketMax, "udp": socketMax}[form]
			if peak > most || peak < socketMax/2 {
				t.Errorf("%d bytes in sockets, want at most %d, and as much as the limit allows", peak, most)
			}
		})
	}
}

// TestSocketsOfAll: all sandboxes together can't bring the host to where it holds back everybody's connections.
func TestSocketsOfAll(t *testing.T) {
	b := requireSandbox(t)
	if b.cgroups.at.v2() {
		return
	}
	text, err := os.ReadFile("/proc/sys/net/ipv4/tcp_mem")
	if err != nil {
		t.Fatal(err)
	}
	var low int64
	if _, err := fmt.Sscan(string(text), &low); err != nil {
		t.Fatal(err)
	}
	got, err := readValue(b.cgroups.at.memory, socketLimit, "")
	if want := low * int64(os.Getpagesize()); err != nil || got >= want || got < socketMax {
		t.Errorf("limit of all sockets %d, %v, want at least %d and below %d, where the kernel begins to hold back", got, err, int64(socketMax), want)
	}
}

// TestTerminals: a terminal works for who makes it, and ends with the sandbox.
func TestTerminals(t *testing.T) {
	b := requireSandbox(t)
	if got, want := string(b.run(t, process("terminal")).Stdout.Data), "/dev/pts/0: hello\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// TestSocketLooksAreCheap: a look at a program without connections costs a fraction of what it costs to find its lists, however many other
// sandboxes there are.
func TestSocketLooksAreCheap(t *testing.T) {
	b := requireSandbox(t)
	for range 20 {
		sb := b.sandboxOf(t, b.looped())
		if err := sb.Ready(); err != nil {
			t.Fatal(err)
		}
	}
	sb := b.sandboxOf(t, b.looped())
	if err := sb.Ready(); err != nil {
		t.Fatal(err)
	}
	l, p := sb.watchSockets(), process()
	defer l.Close()
	cost := func(what func()) time.Duration {
		const times = 200
		var before, after unix.Rusage
		_ = unix.Getrusage(unix.RUSAGE_THREAD, &before)
		started := time.Now()
		for range times {
			what()
		}
		_ = unix.Getrusage(unix.RUSAGE_THREAD, &after)
		t.Logf("%v, of it %v of CPU time", time.Since(started)/times, time.Duration(after.Utime.Nano()+after.Stime.Nano()-before.Utime.Nano()-before.Stime.Nano())/times)
		return time.Duration(after.Utime.Nano() + after.Stime.Nano() - before.Utime.Nano() - before.Stime.Nano())
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	looks := cost(func() {
		if e, over, err := l.check(p); over || err != nil {
			t.Fatal(e, err)
		}
	})
	anew := cost(func() {
		net := fmt.Sprintf("/proc/%d/net/", sb.pid)
		_, _, _ = readList(net+"sockstat"), readList(net+"sockstat6"), readList(net+"netlink")
	})
	if looks > anew/3 {
		t.Errorf("200 looks take %v of CPU time, to find the lists anew %v", looks, anew)
	}
}

// TestTableOfConnections: a sandbox with a loopback has its own, so that to look through it takes as long as it has connections, and
// nobody's are among the host's. A kernel before Linux 6.1 has no word for it.
func TestTableOfConnections(t *testing.T) {
	b := requireSandbox(t)
	const file = "/proc/sys/net/ipv4/tcp_ehash_entries" // negative: it is shared
	if _, err := os.Stat("/proc/sys/net/ipv4/tcp_child_ehash_entries"); err != nil {
		return
	}
	for range 2 { // the second namespace is made from the first
		if got := strings.TrimSpace(string(b.runIn(t, b.looped(), process("show", file)).Stdout.Data)); got != "1024" {
			t.Errorf("table of %q, want 1024", got)
		}
	}
}

// TestNetworkSettings: what the kernel keeps for a sandbox and charges to nobody is less than by default. 120,000 bytes are within the
// default of Linux 6.7 and later.
func TestNetworkSettings(t *testing.T) {
	b := requireSandbox(t)
	for _, cfg := range []Config{b.config(), b.looped()} {
		for bytes, want := range map[string]string{"19000": "sent\n", "120000": "No buffer space available\n"} {
			if got := string(b.runIn(t, cfg, process("control", bytes)).Stdout.Data); got != want {
				t.Errorf("loopback %v: a control message of %s bytes: %q, want %q", cfg.Loopback, bytes, got, want)
			}
		}
	}
	const metrics = "/proc/sys/net/ipv4/tcp_no_metrics_save" // see ip-sysctl in the kernel's documentation
	if got := strings.TrimSpace(string(b.runIn(t, b.looped(), process("show", metrics)).Stdout.Data)); got != "1" {
		t.Errorf("%s is %q, want 1", metrics, got)
	}
}

// TestOrphans: connections that are closed with data that nobody reads are the host's to count: when it has many, who has made them ends.
// In the test a host has few.
func TestOrphans(t *testing.T) {
	b := requireSandbox(t).another(t)
	for _, tt := range []struct {
		name       string
		host       int64 // tcp_max_orphans
		count      int
		want       Verdict
		wallMillis int
	}{
		{"of a host that has room", 1 << 20, 2 * orphansMost, WallTime, 300},
		{"few, of a host that has none", 4, orphansMost / 2, WallTime, 300},
		{"many, of a host that has none", 4, 2 * orphansMost, OOMKilled, 60_000},
	} {
		b.spawner.host.orphans = tt.host
		cfg, p := roomy(b.looped(), 64<<20, "orphans", fmt.Sprint(tt.count))
		p.WallTime = slow(time.Duration(tt.wallMillis) * time.Millisecond)
		r := b.runIn(t, cfg, p)
		t.Logf("%s: %q, %+v", tt.name, r.Stdout.Data, r.Evidence)
		if r.Verdict != tt.want {
			t.Errorf("%s: %q, %+v, want verdict %v", tt.name, r.Stdout.Data, r, tt.want)
		}
		if over := slices.ContainsFunc(r.Evidence, func(e Evidence) bool { return e.Source == "tcp without a process" }); over != (tt.want == OOMKilled) {
			t.Errorf("%s: evidence %+v", tt.name, r.Evidence)
		}
	}
}

// TestAskingForInterfaces: answers of netlink are made under a lock that is one for the host, and network namespaces too. A job that asks
// without end is no worse a neighbour than one that computes.
func TestAskingForInterfaces(t *testing.T) {
	b := requireSandbox(t)
	beside := func(args ...string) time.Duration {
		cfg, p := roomy(b.looped(), 64<<20, args...)
		p.Resources.CPUMillicores = 500
		busy, begun, ended := b.sandboxOf(t, cfg), make(chan struct{}), make(chan Result, 1)
		var once sync.Once
		p.OnStart = func() { once.Do(func() { close(begun) }) }
		go func() { ended <- b.runStep(t, busy, p) }()
		<-begun
		var took []time.Duration
		for range 41 {
			started := time.Now()
			if r := b.runIn(t, b.looped(), process()); r.Verdict != Exited {
				t.Fatalf("%+v", r)
			}
			took = append(took, time.Since(started))
		}
		busy.kill()
		if r := <-ended; len(r.Stdout.Data) == 0 && args[0] == "ask" {
			t.Errorf("it did not ask: %+v", r)
		}
		slices.Sort(took)
		t.Logf("beside %v: median %v, p90 %v", args, took[len(took)/2], took[len(took)*9/10])
		return took[len(took)/2]
	}
	const harm, tries = 3, 3
	var asks, computes time.Duration
	for range tries { // the machine does other things too
		computes, asks = beside("burn", "3600000", "20"), beside("ask", "20")
		if asks <= harm*computes {
			return
		}
	}
	t.Errorf("a sandbox takes %v beside one that asks, %v beside one that computes: more than %d times, %d times", asks, computes, harm, tries)
}
