// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/rs/zerolog"

	"github.com/ccee-dev/ccee/daemon"
	"github.com/ccee-dev/ccee/job"
	"github.com/ccee-dev/ccee/rootfs"
	"github.com/ccee-dev/ccee/seccomp"
)

// without writes the built-in policy without these calls to a file of that name, and returns the file's path.
func without(t *testing.T, name string, calls ...string) string {
	t.Helper()
	b, err := json.Marshal(seccomp.Default())
	if err != nil {
		t.Fatal(err)
	}
	var policy map[string]any
	if err := json.Unmarshal(b, &policy); err != nil {
		t.Fatal(err)
	}
	policy["syscalls"] = slices.DeleteFunc(policy["syscalls"].([]any), func(rule any) bool {
		r := rule.(map[string]any)
		names := slices.DeleteFunc(r["names"].([]any), func(n any) bool { return slices.Contains(calls, n.(string)) })
		r["names"] = names
		return len(names) == 0
	})
	if b, err = json.Marshal(policy); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), name)
	write(t, path, string(b), 0o600)
	return path
}

// options returns those of a daemon with the machine's images. It needs root.
func options(t *testing.T, log *bytes.Buffer) daemon.Options {
	t.Helper()
	images := os.Getenv("CCEE_IMAGES")
	if images == "" {
		images = "/var/lib/ccee/images"
	}
	_, err := os.Stat(filepath.Join(images, "index.json"))
	if os.Geteuid() != 0 {
		err = errors.New("not root")
	}
	if err != nil && os.Getenv("SANDBOX_MUST_WORK") == "1" {
		t.Fatal(err)
	}
	if err != nil {
		t.Skipf("needs root and the language images: %v", err)
	}
	store, err := rootfs.Open(images)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { store.Close() })
	return daemon.Options{
		Socket: filepath.Join(t.TempDir(), "s"), GID: os.Getegid(), Store: store, Slots: 4, Log: zerolog.New(zerolog.SyncWriter(log)),
		Cgroup: fmt.Sprintf("ccee-policy-test-%d-%d", os.Getpid(), started.Add(1)), SkipSelfTest: true, // test binaries are linked dynamically
	}
}

// started counts the daemons, which must not share a cgroup.
var started atomic.Int32

// TestPolicyThatALanguageFailsUnder: node aborts without epoll_wait and epoll_pwait. Such a policy is not kept, and where there is a kept
// one that is used; else JavaScript is left out.
func TestPolicyThatALanguageFailsUnder(t *testing.T) {
	var log bytes.Buffer
	o := options(t, &log)
	bad, kept := without(t, "bad.json", "epoll_wait", "epoll_pwait"), filepath.Join(t.TempDir(), "kept.json")

	srv, err := NewDaemon(t.Context(), o, bad, kept)
	if err != nil {
		t.Fatal(err)
	}
	if got := offered(t, srv); slices.Contains(got, "javascript") || !slices.Contains(got, "python") {
		t.Errorf("without a kept policy: %v are offered, want all but javascript", got)
	}
	if !strings.Contains(log.String(), "its first program fails under the policy in "+bad) {
		t.Errorf("the log does not say why: %s", &log)
	}
	if err := srv.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(kept); err == nil {
		t.Error("a policy under which a language fails was kept")
	}

	good := without(t, "good.json", "mlock") // another policy than the built-in one
	if srv, err = NewDaemon(t.Context(), o, good, kept); err != nil {
		t.Fatal(err)
	}
	if err := srv.Close(); err != nil {
		t.Fatal(err)
	}
	before, err := os.ReadFile(kept)
	if err != nil {
		t.Fatalf("a policy under which all languages run was not kept: %v", err)
	}

	log.Reset()
	if srv, err = NewDaemon(t.Context(), o, bad, kept); err != nil {
		t.Fatal(err)
	}
	defer srv.Close()
	if got := offered(t, srv); !slices.Contains(got, "javascript") {
		t.Errorf("under the kept policy: %v are offered, want javascript too", got)
	}
	if h, _ := helloOf(t.Context(), srv, job.Language{Name: "javascript"}); !h.OK {
		t.Errorf("under the kept policy: %+v", h)
	}
	if !strings.Contains(log.String(), "the last one that worked is used") || !strings.Contains(log.String(), "not every language runs under it: javascript") {
		t.Errorf("the log does not say what is served, and why: %s", &log)
	}
	if after, err := os.ReadFile(kept); err != nil || !bytes.Equal(before, after) {
		t.Errorf("the kept policy was overwritten: %v", err)
	}
}

func offered(t *testing.T, srv *daemon.Server) (names []string) {
	t.Helper()
	languages, err := srv.Languages(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range languages {
		names = append(names, l.Name)
	}
	return names
}

func TestExplain(t *testing.T) {
	p, err := Load(without(t, "p.json", "openat"))
	if err != nil {
		t.Fatal(err)
	}
	const want = "no program can be run under it: it refuses what the built-in policy allows (openat)"
	if got := explain(p, "it", fmt.Errorf("self-test: %w: exited", daemon.ErrProbesDidNotRun)); got.Error() != want {
		t.Errorf("%q, want %q", got, want)
	}
	other := errors.New("no cgroups")
	if got := explain(p, "it", other); got != other {
		t.Errorf("%v, want the error itself", got)
	}
}

// tries is a runner that is busy when more than one job runs.
type tries struct{ jobs chan struct{} }

func (r tries) Try(ctx context.Context, spec job.Spec) (job.Result, error) {
	select {
	case r.jobs <- struct{}{}:
		defer func() { <-r.jobs }()
	default:
		return job.Result{}, job.Errorf(job.EBusy, "no slot")
	}
	return job.Result{Steps: []job.Step{{Name: "run"}}}, nil
}

// A busy daemon is no reason against a policy.
func TestHellosWhenBusy(t *testing.T) {
	for _, h := range hellos(t.Context(), tries{make(chan struct{}, 1)}, []job.Language{{Name: "python"}, {Name: "java"}, {Name: "javascript"}}) {
		if strings.Contains(h.Evidence, "no slot") {
			t.Errorf("%+v", h)
		}
	}
}
