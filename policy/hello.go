// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/rs/zerolog"

	"github.com/ccee-dev/ccee/daemon"
	"github.com/ccee-dev/ccee/images"
	"github.com/ccee-dev/ccee/job"
	"github.com/ccee-dev/ccee/rootfs"
	"github.com/ccee-dev/ccee/seccomp"
)

// Hello is the result of a language's first program under a policy.
type Hello struct {
	Language string `json:"language"`
	OK       bool   `json:"ok"`
	Evidence string `json:"evidence,omitempty"` // why it failed, or why it was not tried
}

// helloAll runs the first program of each language in the store under p, in a daemon of its own.
func helloAll(ctx context.Context, dir string, p *seccomp.Policy) (all []Hello, err error) {
	store, err := rootfs.Open(dir)
	if err != nil {
		return nil, err
	}
	defer store.Close()
	tmp, err := os.MkdirTemp("", "ccee-check-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(tmp)
	srv, err := daemon.New(daemon.Options{
		Socket: filepath.Join(tmp, "daemon.sock"), GID: os.Getgid(), Store: store, Policy: p, Cgroup: fmt.Sprintf("ccee-check-%d", os.Getpid()),
		Slots: 4, Log: zerolog.Nop(), SkipSelfTest: true, // it was tried already
	})
	if err != nil {
		return nil, err
	}
	defer srv.Close()
	languages, err := srv.Languages(ctx)
	if err != nil {
		return nil, err
	}
	return hellos(ctx, srv, languages), nil
}

// runner runs jobs: a *daemon.Server.
type runner interface {
	Try(context.Context, job.Spec) (job.Result, error)
}

// hellos runs the first program of each of these languages, all at the same time. One that finds no slot then is run alone.
func hellos(ctx context.Context, d runner, languages []job.Language) []Hello {
	all, busy := make([]Hello, len(languages)), make([]bool, len(languages))
	var running sync.WaitGroup
	for i, l := range languages {
		running.Go(func() { all[i], busy[i] = helloOf(ctx, d, l) })
	}
	running.Wait()
	for i, l := range languages {
		if busy[i] {
			all[i], _ = helloOf(ctx, d, l)
		}
	}
	return all
}

// helloOf runs the first program of a language. busy reports that there was no slot for it.
func helloOf(ctx context.Context, d runner, l job.Language) (h Hello, busy bool) {
	source, want, there := images.Hello(l.Name)
	if !there {
		return Hello{l.Name, true, "not tried: this ccee has no first program for it"}, false
	}
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	most := job.Limits{WallMs: job.MaxLimits.WallMs, CPUMs: job.MaxLimits.CPUMs}
	r, err := d.Try(ctx, job.Spec{ID: "hello-" + l.Name, Language: l.Name, Source: source, Compile: most, Run: most})
	switch last := r.Last(); {
	case err != nil:
		return Hello{l.Name, false, err.Error()}, job.ErrorCode(err) == job.EBusy
	case last == nil:
		return Hello{l.Name, false, string(r.Verdict)}, false
	case string(last.Stdout.Data) != want:
		return Hello{l.Name, false, fmt.Sprintf("%s, %s: %.200s%.100s", last.Name, last.Verdict, last.Message, last.Stderr.Data)}, false
	}
	return Hello{Language: l.Name, OK: true}, false
}
