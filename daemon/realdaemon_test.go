// SPDX-License-Identifier: Apache-2.0

package daemon

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/rs/zerolog"

	"github.com/ccee-dev/ccee/e2e/patience"
	"github.com/ccee-dev/ccee/job"
	"github.com/ccee-dev/ccee/rootfs"
	"github.com/ccee-dev/ccee/seccomp"
)

// These tests run real programs in real sandboxes, through the socket. They need root and the language images.

// TestMain has daemons allow more time on a slow machine than they do to anybody: a compiler may need it.
func TestMain(m *testing.M) {
	job.MaxLimits.WallMs *= patience.Slowness()
	job.MaxLimits.CPUMs *= patience.Slowness()
	os.Exit(m.Run())
}

// cannot skips the test, or fails it where SANDBOX_MUST_WORK=1 says that this machine can do it.
func cannot(t testing.TB, format string, args ...any) {
	t.Helper()
	if os.Getenv("SANDBOX_MUST_WORK") == "1" {
		t.Fatalf(format, args...)
	}
	t.Skipf(format, args...)
}

// started counts the daemons of this test binary, which may run at the same time and must not share a cgroup.
var started atomic.Int32

// openImages opens the machine's image store.
func openImages(t testing.TB) *rootfs.Store {
	t.Helper()
	images := os.Getenv("CCEE_IMAGES")
	if images == "" {
		images = "/var/lib/ccee/images"
	}
	if _, err := os.Stat(filepath.Join(images, "index.json")); err != nil {
		cannot(t, "needs the language images: make images (%v)", err)
	}
	store, err := rootfs.Open(images)
	if err != nil {
		t.Fatal(err)
	}
	return store
}

// realDaemon serves jobs in real sandboxes. adjust may change its options.
func realDaemon(t testing.TB, adjust func(*Options)) *served {
	t.Helper()
	if os.Geteuid() != 0 {
		cannot(t, "needs root")
	}
	store := openImages(t)
	log := &syncBuffer{}
	o := Options{
		Socket: filepath.Join(t.TempDir(), "s"), GID: os.Getegid(), Store: store, Policy: seccomp.Default(),
		Cgroup: fmt.Sprintf("ccee-test-%d-%d", os.Getpid(), started.Add(1)), Log: zerolog.New(log),
		SkipSelfTest: true, Slots: 32, TenantShare: 100, Ready: 4, CPUMillicores: 100_000, MemoryBytes: 100 << 30,
	}
	if adjust != nil {
		adjust(&o)
	}
	s, err := New(o)
	if err != nil {
		store.Close()
		cannot(t, "needs a host that can sandbox: %v", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Serve(ctx) }()
	out := &served{Server: s, log: log, path: o.Socket, base: "http://daemon", cgroup: o.Cgroup}
	out.stop = sync.OnceValue(func() error {
		cancel()
		err, late := patience.Wait(done, "Serve returns")
		return cmp.Or(late, err)
	})
	out.http = &http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "unix", o.Socket)
	}}}
	t.Cleanup(func() {
		out.http.CloseIdleConnections()
		err := errors.Join(out.stop(), store.Close())
		if err != nil || strings.Contains(log.String(), `"level":"error"`) {
			t.Errorf("the daemon ended with %v; its log:\n%s", err, log)
		}
		for _, where := range []string{"/sys/fs/cgroup/", "/sys/fs/cgroup/*/"} { // v2, v1
			if left, _ := filepath.Glob(where + o.Cgroup); left != nil {
				t.Errorf("cgroups are left over: %v", left)
			}
		}
	})
	return out
}

// runSpec runs spec and returns its result.
func (s *served) runSpec(t *testing.T, spec job.Spec) job.Result {
	t.Helper()
	if spec.ID == "" {
		spec.ID = strings.ReplaceAll(fmt.Sprintf("%x", t.Name()), "/", "-")
		spec.ID = spec.ID[max(0, len(spec.ID)-100):]
	}
	ample(t, &spec.Compile, job.DefaultCompile)
	ample(t, &spec.Run, job.DefaultRun)
	if tests := spec.Tests; tests != nil { // which are bounded together
		share := job.MaxTestsWallMs / int64(2*len(tests.List))
		spec.Run.WallMs = min(spec.Run.WallMs, share)
		if tests.Checker != nil {
			checker := *tests.Checker
			ample(t, &checker.Run, job.DefaultRun)
			checker.Run.WallMs = min(checker.Run.WallMs, share)
			with := *tests
			with.Checker, spec.Tests = &checker, &with
		}
	}
	body, err := json.Marshal(spec)
	if err != nil {
		t.Fatal(err)
	}
	resp, answer := s.ask(t, "POST", "/v1/run", string(body), "application/json")
	var res job.Result
	if resp.StatusCode != 200 {
		t.Fatalf("HTTP %d %s\nlog:\n%s", resp.StatusCode, answer, s.log)
	}
	if err := json.Unmarshal([]byte(answer), &res); err != nil {
		t.Fatal(err)
	}
	return res
}

// ample gives a step of a job, where the test is not about its time, time that only a fault uses up; where it is, as many times more as
// the machine is slower. The rate of CPU time, by default def's, grows with that, but not to more processors: runtimes are told those when
// they start.
func ample(t testing.TB, l *job.Limits, def job.Limits) {
	t.Helper()
	slowness, most := patience.Slowness(), job.MaxLimits
	processors := min((cmp.Or(l.CPUMillicores, def.CPUMillicores)+1023)/1024, int64(runtime.NumCPU()))
	for _, v := range []struct {
		of            *int64
		def, greatest int64
	}{
		{&l.WallMs, most.WallMs, most.WallMs},
		{&l.CPUMs, most.CPUMs, most.CPUMs},
		{&l.CPUMillicores, def.CPUMillicores, max(l.CPUMillicores, 1000*processors)},
	} {
		*v.of = min(cmp.Or(*v.of, v.def)*slowness, v.greatest)
	}
}

// amply is for bodies that tests write by hand: the limits of a job whose test is not about time.
const amply = `"run":{"wallMs":60000,"cpuMs":60000,"cpuMillicores":4000}`

// last returns the step that ended the job, for messages too.
func last(t *testing.T, res job.Result) *job.Step {
	t.Helper()
	if res.Last() == nil {
		t.Fatalf("a result without steps: %+v", res)
	}
	return res.Last()
}

func describeStep(s *job.Step) string {
	code := "none"
	if s.ExitCode != nil {
		code = fmt.Sprint(*s.ExitCode)
	}
	return fmt.Sprintf("%s: %s, exit %s, signal %q, evidence %v, %s\nusage %+v\nstdout (%d bytes) %.300q\nstderr (%d bytes) %.600q",
		s.Name, s.Verdict, code, s.Signal, s.Evidence, s.Message, s.Usage, s.Stdout.Bytes, s.Stdout.Data, s.Stderr.Bytes, s.Stderr.Data)
}
