// SPDX-License-Identifier: Apache-2.0

package daemon

import (
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/ccee-dev/ccee/job"
)

type networkJob struct{ file, language, want string }

func (j networkJob) check(t *testing.T, r job.Result) {
	t.Helper()
	step := last(t, r)
	if got := string(step.Stdout.Data); !step.OK() || got != j.want {
		t.Fatalf("got\n%s\nwant\n%s\n%s", got, j.want, describeStep(step))
	}
}

// networkJobs are programs that talk to themselves, with what each language's documentation, socket(7) and getaddrinfo(3) say that they
// print where there is a loopback and nothing else.
var networkJobs = []networkJob{
	{"web.py", "python", `you asked for /x
you asked for /x
you asked for /x
you asked for /x
`},
	{"sockets.py", "python", `tcp 1000000 127.0.0.1
udp PING True
udp PING True
dual stack ::ffff:127.0.0.1
asyncio AF_INET HELLO
asyncio AF_INET6 HELLO
manager {'a': 1}
xmlrpc 32
interfaces [(1, 'lo')] 1
localhost ['127.0.0.1', '::1']
a name gaierror -3
an address OSError 101
an address 6 OSError 101
a closed port ConnectionRefusedError 111
raw PermissionError 1
vsock OSError 97
ping OSError 93
group OSError 19
`},
	{"terminal.py", "python", `openpty True /dev/pts/0 0o620
size os.terminal_size(columns=80, lines=24)
subprocess b'a terminal\r\n'
b'typed\r\ngot typed\r\n' 0
fork b'True /dev/tty True\r\nname? '
b'me\r\nme\r\n' 0
interrupt True
raw b'\x03raw'
canonical b'line\n' b'line\n'
spawn 3
too many 28
`},
	{"net.js", "javascript", `http you asked for /x
http you asked for /x
http you asked for /x
net hello IPv6
udp4 ping
udp6 ping
worker from a thread
cluster from a process
interfaces [ 'lo' ] [ '127.0.0.1', '::1' ]
a name EAI_AGAIN
an address ENETUNREACH
a closed port ECONNREFUSED
`},
	{"Net.java", "java", `socket hello true
socket hello true
socket hello true
datagram ping
datagram ping
channel pong
channel nio
interfaces [lo] true
name UnknownHostException: host.example: Temporary failure in name resolution
address SocketException: Network is unreachable
closed port ConnectException: Connection refused
http ok
`},
}

func networkSpec(t *testing.T, file, language string) job.Spec {
	t.Helper()
	source, err := os.ReadFile("testdata/network/" + file)
	if err != nil {
		t.Fatal(err)
	}
	return job.Spec{Language: language, Source: string(source), Run: job.Limits{CPUMillicores: 1000, CPUMs: 20_000, WallMs: 20_000}}
}

// TestNetworkPrograms: what programs do with TCP, UDP and terminals works in a job as it does elsewhere, and what there is no way to says
// so at once.
func TestNetworkPrograms(t *testing.T) {
	s := realDaemon(t, func(o *Options) { o.Ready = 0 })
	for _, tt := range networkJobs {
		t.Run(tt.file, func(t *testing.T) { tt.check(t, s.runSpec(t, networkSpec(t, tt.file, tt.language))) })
	}
}

// TestNetworkProgramsWarm: with a runtime that was started ahead too.
func TestNetworkProgramsWarm(t *testing.T) {
	s := realDaemon(t, func(o *Options) { o.Ready, o.Warm = 2, true })
	for _, tt := range networkJobs {
		t.Run(tt.file, func(t *testing.T) {
			s.until(t, networkSpec(t, tt.file, tt.language), "warm", func(r job.Result) { tt.check(t, r) })
		})
	}
}

// none are programs that print why they get no socket.
var none = map[string]string{
	"python": "import socket\nfor f in socket.AF_INET, socket.AF_INET6, socket.AF_NETLINK:\n  try: print(socket.socket(f, socket.SOCK_DGRAM))\n  except OSError as e: print(e.errno)\na, b = socket.socketpair(); a.send(b'x'); print(b.recv(1))",
	"javascript": "require('net').createServer().on('error', e => console.log(e.code)).listen(0, '127.0.0.1', function () { this.close() })\n" +
		"require('net').connect(1, '::1').on('error', e => console.log(e.code))",
	"java": "public class Main { public static void main(String[] a) throws Exception {\n" +
		"try { new java.net.ServerSocket(0); } catch (java.io.IOException e) { System.out.println(e.getMessage().contains(\" family \")); } } }",
}

// TestNetworkNone: a job that asks for no network gets no socket but AF_UNIX, cold and warm, whatever the policy allows and beside jobs
// that have one; and so do all that don't ask where the server's default is so.
func TestNetworkNone(t *testing.T) {
	want := map[string]string{"python": "97\n97\n97\nb'x'\n", "javascript": "EAFNOSUPPORT\nEAFNOSUPPORT\n", "java": "true\n"}
	byDefault := realDaemon(t, func(o *Options) { o.Ready, o.Network = 0, job.NetworkNone })
	both := realDaemon(t, func(o *Options) { o.Ready, o.Warm = 4, true })
	for language, source := range none {
		for i := range 4 {
			spec := job.Spec{Language: language, Source: source, Network: job.NetworkNone, Run: job.Limits{CPUMillicores: 1000}}
			step := last(t, both.runSpec(t, spec))
			if got := string(step.Stdout.Data); got != want[language] {
				t.Errorf("%s, run %d: %q, want %q\n%s", language, i, got, want[language], describeStep(step))
			}
			if !slices.ContainsFunc(step.DeniedSyscalls, func(d job.DeniedSyscall) bool { return d.Name == "socket" && d.Errno == "EAFNOSUPPORT" }) {
				t.Errorf("%s: denied %+v, want socket with EAFNOSUPPORT", language, step.DeniedSyscalls)
			}
			spec.Network = ""
			if got := string(last(t, both.runSpec(t, spec)).Stdout.Data); got == want[language] {
				t.Errorf("%s, run %d: a job after it has no network either", language, i)
			}
		}
		spec := job.Spec{Language: language, Source: source, Run: job.Limits{CPUMillicores: 1000}}
		if got := string(last(t, byDefault.runSpec(t, spec)).Stdout.Data); got != want[language] {
			t.Errorf("%s, by default: %q, want %q", language, got, want[language])
		}
		spec.Network = job.NetworkLoopback
		if got := string(last(t, byDefault.runSpec(t, spec)).Stdout.Data); got == want[language] {
			t.Errorf("%s asks for a loopback and gets none", language)
		}
	}
}

// TestNetworkOfTests: the tests of a job, and its checker, have its network.
func TestNetworkOfTests(t *testing.T) {
	s := realDaemon(t, func(o *Options) { o.Ready = 0 })
	const probe = "import socket\ntry: socket.socket(); print('loopback')\nexcept OSError: print('none')"
	// Like the one of a test, the checker's network is what it finds: 0 accepts.
	const checker = "import socket, sys\ntry: socket.socket(); has = 'loopback'\nexcept OSError: has = 'none'\nsys.exit(has != open(sys.argv[2]).read().strip())"
	for _, network := range []string{job.NetworkNone, job.NetworkLoopback} {
		spec := job.Spec{Language: "python", Source: probe, Network: network, Tests: &job.Tests{List: []job.Test{expect("", network)}}}
		if res := s.runSpec(t, spec); res.Status != job.Succeeded {
			t.Errorf("%s: a test of it has another network: %+v", network, res.Tests)
		}
		spec.Tests = &job.Tests{List: []job.Test{expect("", network)}, Checker: &job.Checker{Language: "python", Source: checker}}
		if res := s.runSpec(t, spec); res.Status != job.Succeeded {
			t.Errorf("%s: its checker has another network: %+v", network, res.Tests)
		}
	}
	if err := (&job.Spec{ID: "x", Language: "python", Source: "x", Network: "host"}).Validate(); err == nil || !strings.Contains(err.Error(), "network") {
		t.Errorf("the network host: %v, want a refusal that names it", err)
	}
}
