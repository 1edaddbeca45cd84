// SPDX-License-Identifier: Apache-2.0

package daemon

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/rs/zerolog"

	"github.com/ccee-dev/ccee/daemon/plan"
	"github.com/ccee-dev/ccee/daemon/slots"
	"github.com/ccee-dev/ccee/e2e/patience"
	"github.com/ccee-dev/ccee/job"
	"github.com/ccee-dev/ccee/nsjail"
	"github.com/ccee-dev/ccee/nsjail/escape"
	"github.com/ccee-dev/ccee/seccomp"
)

// knownGaps are attempts that may get through, each with why it is borne. SECURITY.md says so to users.
var knownGaps = map[string]string{
	"flock on a file of the image":       "two jobs that both want to can signal each other by locks on files they share",
	"flock on a directory of the image":  "the same",
	"flock on the root":                  "the same",
	"flock on a device":                  "the same, by the nodes in /dev, where all jobs share them",
	"flock on /dev":                      "the same",
	"record lock on a device":            "the same",
	"record lock on a file of the image": "the same",
}

// probeProgram builds the probes as a program of their own: this test's binary is linked dynamically.
func probeProgram(t *testing.T) []byte {
	t.Helper()
	main, exe := filepath.Join(t.TempDir(), "main.c"), filepath.Join(t.TempDir(), "probe")
	if err := os.WriteFile(main, []byte("int main(void) { return 1; }\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	sources, err := filepath.Glob("../nsjail/escape/*.c")
	if err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("gcc", append([]string{"-O1", "-s", "-static", "-o", exe, main}, sources...)...).CombinedOutput(); err != nil {
		t.Fatalf("gcc: %v\n%s", err, out)
	}
	program, err := os.ReadFile(exe)
	if err != nil {
		t.Fatal(err)
	}
	return program
}

func testFile(t *testing.T, name string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", "escape", name))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// outcomes runs a job whose stdout are reports of attempts.
func (s *served) outcomes(t *testing.T, spec job.Spec) []escape.Outcome {
	t.Helper()
	spec.Run.WallMs, spec.Run.CPUMs, spec.Run.CPUMillicores, spec.Run.MemoryBytes = 60_000, 60_000, 1000, 512*job.MiB
	spec.Compile.WallMs = 60_000
	step := last(t, s.runSpec(t, spec))
	all, err := escape.Parse(string(step.Stdout.Data))
	if err != nil {
		t.Fatalf("%v\n%s", err, describeStep(step))
	}
	return all
}

// mustHold reports each attempt that got through, known gaps excepted.
func mustHold(t *testing.T, outcomes []escape.Outcome) {
	t.Helper()
	for _, o := range outcomes {
		switch why, known := knownGaps[o.Name]; {
		case o.Held:
		case known:
			t.Logf("known gap: %s: %s: %s", o.Name, o.Evidence, why)
		default:
			t.Errorf("%s, %s: %s", o.Group, o.Name, o.Evidence)
		}
	}
}

// TestEscape tries to get out of real jobs: the probes, what each language offers, and two jobs that work together.
func TestEscape(t *testing.T) {
	const secret = "planted-5f0c3a"
	t.Setenv("CCEE_TEST_SECRET", secret)
	s := realDaemon(t, nil)
	var all []escape.Outcome
	parts := 0 // that ran: a choice of them is not counted
	try := func(name string, atLeast int, spec job.Spec) {
		t.Run(name, func(t *testing.T) {
			parts++
			got := s.outcomes(t, spec)
			mustHold(t, got)
			if len(got) < atLeast {
				t.Errorf("%d attempts, want at least %d", len(got), atLeast)
			}
			all = append(all, got...)
		})
	}
	// Python ignores two signals, which an executed program would inherit.
	const run = "import os, signal\nfor s in (signal.SIGPIPE, signal.SIGXFSZ): signal.signal(s, signal.SIG_DFL)\nos.execv('./probe', ['./probe', 'sandbox-probe', 'job'])"
	try("probes", 300, job.Spec{Language: "python", Source: run, Files: []job.File{{Name: "probe", Data: probeProgram(t), Exec: true}}})
	args := []string{secret, s.path}
	try("python", 50, job.Spec{Language: "python", Source: testFile(t, "attempts.py"), Args: args})
	try("javascript", 40, job.Spec{Language: "javascript", Source: testFile(t, "attempts.js"), Args: args})
	try("java", 40, job.Spec{Language: "java", Source: testFile(t, "Attempts.java"), Args: args})
	t.Run("two jobs", func(t *testing.T) { parts++; all = append(all, s.twoJobs(t)...) })
	t.Run("output", func(t *testing.T) { parts++; all = append(all, s.outputs(t)...) })
	if parts == 6 {
		countAttempts(t, all)
	}
}

// TestEscapeWarm tries the same from runtimes that were started ahead.
func TestEscapeWarm(t *testing.T) {
	const secret = "planted-5f0c3a"
	t.Setenv("CCEE_TEST_SECRET", secret)
	s := realDaemon(t, func(o *Options) { o.Ready, o.Warm = 2, true })
	const run = "import os, signal\nfor s in (signal.SIGPIPE, signal.SIGXFSZ): signal.signal(s, signal.SIG_DFL)\nos.execv('./probe', ['./probe', 'sandbox-probe', 'job'])"
	for name, spec := range map[string]job.Spec{
		"probes":     {Language: "python", Source: run, Files: []job.File{{Name: "probe", Data: probeProgram(t), Exec: true}}},
		"python":     {Language: "python", Source: fmt.Sprintf("import sys; sys.argv += [%q, %q]\n", secret, s.path) + testFile(t, "attempts.py")},
		"javascript": {Language: "javascript", Source: fmt.Sprintf("process.argv.push(%q, %q);\n", secret, s.path) + testFile(t, "attempts.js")},
	} {
		t.Run(name, func(t *testing.T) {
			was := s.from(t, "warm")
			eventually(t, func() bool { // the first one finds none
				s.runSpec(t, job.Spec{Language: spec.Language, Source: " ", Run: job.Limits{MemoryBytes: 512 * job.MiB}}) // as outcomes asks for it
				return s.from(t, "warm") != was
			})
			s.awaitReady(t, 2)
			was = s.from(t, "warm")
			got := s.outcomes(t, spec)
			mustHold(t, got)
			if s.from(t, "warm") == was || len(got) < 40 {
				t.Errorf("%d attempts, not warm", len(got))
			}
		})
	}
}

// countAttempts holds the suite to its size and its groups.
func countAttempts(t *testing.T, all []escape.Outcome) {
	t.Helper()
	groups := map[string]int{}
	for _, o := range all {
		groups[o.Group]++
	}
	for _, g := range []string{"namespaces", "mounts", "proc", "cgroup", "fds", "signals", "ptrace", "keyrings", "sockets", "network", "terminals", "io_uring", "bpf",
		"perf", "userfaultfd", "memory", "cpu", "pids", "disk", "time", "cross-job", "output", "python", "javascript", "java"} {
		if groups[g] == 0 {
			t.Errorf("no attempt in the group %s", g)
		}
	}
	if len(all) < 500 {
		t.Errorf("%d attempts in all: the suite has shrunk", len(all))
	}
	t.Logf("%d attempts: %v", len(all), groups)
}

// twoJobs has one job plant and listen while another looks and sends.
func (s *served) twoJobs(t *testing.T) []escape.Outcome {
	ctx, cancel := context.WithCancelCause(patience.Context(t))
	defer cancel(nil)
	planted, ended := make(chan string, 1), make(chan string, 1)
	var said strings.Builder // by the one goroutine that emits, until ended
	go func() {
		limits := job.Limits{WallMs: 60_000, CPUMs: 60_000, CPUMillicores: 4000, MemoryBytes: 512 * job.MiB}
		spec := job.Spec{ID: "plant", Language: "python", Source: testFile(t, "plant.py"), Args: []string{"wait"}, Run: limits}
		_, err := s.run(ctx, spec, func(e job.Event) error {
			before := said.Len()
			said.Write(e.Data)
			if text := said.String(); before < len(text) && strings.HasSuffix(text, "planted\n") {
				planted <- text
			}
			return nil
		})
		ended <- fmt.Sprintf("%v\n%s", err, said.String())
	}()
	var ids string
	select {
	case text := <-planted:
		_, ids, _ = strings.Cut(text, "ids ")
		ids, _, _ = strings.Cut(ids, "\n")
	case how := <-ended:
		t.Fatalf("the planting job ended: %s", how)
	}
	got := s.outcomes(t, job.Spec{ID: "look", Language: "python", Source: testFile(t, "look.py"), Args: []string{"cross-job", ids}})
	mustHold(t, got)
	cancel(errCancelled)
	if how := patience.Receive(t, ended, "the planting job ends"); strings.Contains(how, "REACHED") {
		t.Errorf("something reached the other job: %s", how)
	}
	return got
}

// TestNothingSurvives: what a job left, the next one in its slot does not find.
func TestNothingSurvives(t *testing.T) {
	s := realDaemon(t, func(o *Options) { o.Slots = 1 })
	spec := job.Spec{Language: "python", Source: testFile(t, "plant.py"), Args: []string{"leave"}}
	spec.Run.WallMs, spec.Run.CPUMs, spec.Run.CPUMillicores, spec.Run.MemoryBytes = 60_000, 60_000, 1000, 512*job.MiB
	first := last(t, s.runSpec(t, spec))
	if !first.OK() || !strings.HasSuffix(string(first.Stdout.Data), "planted\n") {
		t.Fatalf("plant.py\n%s", describeStep(first))
	}
	got := s.outcomes(t, job.Spec{ID: "look", Language: "python", Source: testFile(t, "look.py"), Args: []string{"survivors", ""}})
	mustHold(t, got) // known gaps too: locks on shared files are the host's, and other runs of this test may have them
	if len(got) < 40 {
		t.Errorf("%d attempts, want at least 40", len(got))
	}
}

// TestAttemptsSee takes the controls away that the attempts of the languages and of two jobs are there for: they must notice.
// Not those about sandbox-init's name, which hidepid holds by itself, and about other networks: there is no way to them.
func TestAttemptsSee(t *testing.T) {
	allowAll, err := seccomp.Parse([]byte(`{"defaultAction":"SCMP_ACT_ALLOW"}`))
	if err != nil {
		t.Fatal(err)
	}
	s := realDaemon(t, func(o *Options) { o.Policy = allowAll })
	both := "import signal, subprocess, sys\nsignal.signal(signal.SIGUSR1, signal.SIG_IGN)\np = subprocess.Popen([sys.executable, 'plant.py', 'wait'], stdout=subprocess.PIPE)\n" +
		"for line in p.stdout:\n  if line.startswith(b'ids '): ids = line[4:]\n  if line == b'planted\\n': break\n" +
		"subprocess.run([sys.executable, 'look.py', 'one job', ids])\n"
	for _, tt := range []struct {
		spec job.Spec
		see  []string
	}{
		{job.Spec{Language: "python", Source: testFile(t, "attempts.py"), Args: []string{"no secret", "/none"}}, []string{"keyctl", "io_uring",
			"userfaultfd", "inotify", "personality", "generic netlink", "a multicast group"}},
		{job.Spec{Language: "python", Source: testFile(t, "attempts.py"), Args: []string{"/usr/bin", "/none"}}, []string{"environment"}}, // PATH has it
		{job.Spec{Language: "javascript", Source: testFile(t, "attempts.js"), Args: []string{"/usr/bin", "/none"}}, []string{"watch a file",
			"a multicast group", "environment"}},
		{job.Spec{Language: "java", Source: testFile(t, "Attempts.java"), Args: []string{"/usr/bin", "/none"}}, []string{"a multicast group",
			"foreign, inotify", "foreign, io_uring", "environment"}},
		{job.Spec{Language: "python", Source: both, Files: []job.File{{Name: "plant.py", Data: []byte(testFile(t, "plant.py"))},
			{Name: "look.py", Data: []byte(testFile(t, "look.py"))}}, Run: job.Limits{PidsMax: 1024}}, []string{
			"abstract socket, type 1", "abstract socket, type 2", "abstract socket, type 5", "socket in /tmp", "socket in /workspace",
			"file in /tmp", "file in /workspace", "file in /dev/shm", "names in /tmp and /dev/shm", "System V segment", "System V semaphore",
			"System V queue", "System V lists", "POSIX segment", "key by name", "processes", "pids that answer",
			"listening port", "UDP port", "ports that are listed", "terminals", "terminal", "a signal to all", "owners of descriptors", "list of unix sockets", "flock on a file of the image", "record lock on a device",
			"record lock on a file of the image", "inotify", "fanotify", "ids of the host"}},
	} {
		t.Run(tt.spec.Language, func(t *testing.T) {
			seen := map[string]bool{}
			for _, o := range s.outcomes(t, tt.spec) {
				seen[o.Name] = seen[o.Name] || !o.Held
			}
			for _, name := range tt.see {
				if !seen[name] {
					t.Errorf("%s holds, or was not tried: the attempt does not see what it is there for", name)
				}
			}
		})
	}
}

// TestSelfTestNames: with a control taken away, the self-test says which.
func TestSelfTestNames(t *testing.T) {
	self := newSelfTest(t)
	program := probeProgram(t)
	for _, tt := range []struct {
		name   string
		policy string // "": the default
		adjust func(*nsjail.Config, *nsjail.Process)
		want   []string // groups
	}{
		{name: "all controls"},
		{name: "no masks", adjust: func(c *nsjail.Config, _ *nsjail.Process) { c.MaskedPaths = nil }, want: []string{"proc"}},
		{name: "no rlimits", adjust: func(_ *nsjail.Config, p *nsjail.Process) { p.Rlimits = nil }, want: []string{"cpu", "disk"}},
		{name: "a secret", adjust: func(_ *nsjail.Config, p *nsjail.Process) { p.Env = append(p.Env, "AWS_SECRET_ACCESS_KEY=x") }, want: []string{"inherited"}},
		{name: "allow all", policy: `{"defaultAction":"SCMP_ACT_ALLOW"}`, want: []string{"keyrings", "io_uring", "network"}},
		{name: "a policy that kills", policy: killing(t)},
		{name: "keyrings", policy: `{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":["socket","io_uring_setup"],"action":"SCMP_ACT_ERRNO"}]}`, want: []string{"keyrings"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			policy := seccomp.Default()
			if tt.policy != "" {
				var err error
				if policy, err = seccomp.Parse([]byte(tt.policy)); err != nil {
					t.Fatal(err)
				}
			}
			filters, err := newFilters(policy, jailTier, zerolog.Nop())
			if err != nil {
				t.Fatal(err)
			}
			p := probePlan(escape.Fast)
			p.Steps[0].Files = []nsjail.File{{Name: "probe", Data: program, Mode: 0o755}}
			p.Steps[0].Args[0] = plan.WorkDir + "/probe"
			cfg, proc := p.Config(self.root, self.slot), filters.of(p).lenient().on(p.Steps[0].Process())
			if tt.adjust != nil {
				tt.adjust(&cfg, &proc)
			}
			outcomes, err := self.try(t.Context(), cfg, proc)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, o := range outcomes {
				if !o.Held {
					got = append(got, o.Group)
				}
			}
			for _, g := range tt.want {
				if !slices.Contains(got, g) {
					t.Errorf("lost %v, want %s named", got, g)
				}
			}
			if len(tt.want) == 0 && len(got) > 0 {
				t.Errorf("lost %v, want nothing", got)
			}
		})
	}
}

// killing is the default policy, but that it kills for ptrace and its like.
func killing(t *testing.T) string {
	t.Helper()
	p := *seccomp.Default()
	p.Syscalls = slices.Clone(p.Syscalls)
	for i := range p.Syscalls {
		if s := &p.Syscalls[i]; slices.Contains(s.Names, "ptrace") {
			s.Action, s.Errno = seccomp.ActKillProcess, nil
		}
	}
	text, err := json.Marshal(p)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// newSelfTest is what SelfTest makes, with the default policy.
func newSelfTest(t *testing.T) selfTest {
	t.Helper()
	if os.Geteuid() != 0 {
		cannot(t, "needs root")
	}
	first, claim, err1 := slots.ClaimRange(runDir)
	root, err2 := emptyRoot(runDir)
	cgroups, err3 := nsjail.OpenCgroups(fmt.Sprintf("ccee-test-%d-%d", os.Getpid(), started.Add(1)))
	if err := errors.Join(err1, err2, err3); err != nil {
		t.Fatal(err)
	}
	sandboxes, err := newSpawner(cgroups, root)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := errors.Join(sandboxes.close(), cgroups.Close(), claim.Close()); err != nil {
			t.Error(err)
		}
	})
	return selfTest{newSandbox: sandboxes.new, root: root, slot: first, tier: jailTier}
}
