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
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/rs/zerolog"

	"ccee/api/job"
	"ccee/rootfs"
	"ccee/seccomp"
)

// These tests run real programs in real sandboxes, through the socket. They need root and the language images.

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
		SkipSelfTest: true, Slots: 32, Ready: 4, CPUMillicores: 100_000, MemoryBytes: 100 << 30,
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
	out := &served{Server: s, log: log, path: o.Socket}
	out.stop = sync.OnceValue(func() error { cancel(); return <-done })
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
	slow := slowness(t)
	slow.stretch(&spec.Compile, job.DefaultCompile)
	slow.stretch(&spec.Run, job.DefaultRun)
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

// factor is how many times slower than a real machine this one is. The time limits of tests are for a real one.
type factor int64

// slowness is 1, or what SANDBOX_SLOWNESS says where the machine is emulated.
func slowness(t testing.TB) factor {
	t.Helper()
	text := os.Getenv("SANDBOX_SLOWNESS")
	if text == "" {
		return 1
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n < 1 {
		t.Fatalf("SANDBOX_SLOWNESS is %q, want a whole number from 1 on", text)
	}
	return factor(n)
}

// stretch gives a job the time that it needs here for what l, or by default def, gives it on a real machine.
func (f factor) stretch(l *job.Limits, def job.Limits) {
	if f == 1 {
		return
	}
	for _, v := range []struct {
		of            *int64
		def, greatest int64
	}{
		{&l.WallMs, def.WallMs, job.MaxLimits.WallMs},
		{&l.CPUMs, def.CPUMs, job.MaxLimits.CPUMs},
		{&l.CPUMillicores, def.CPUMillicores, job.MaxLimits.CPUMillicores},
	} {
		*v.of = min(cmp.Or(*v.of, v.def)*int64(f), v.greatest)
	}
}

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
