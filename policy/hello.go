package policy

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/rs/zerolog"

	"github.com/ccee-dev/ccee/daemon"
	"github.com/ccee-dev/ccee/daemon/client"
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
	socket := filepath.Join(tmp, "daemon.sock")
	srv, err := daemon.New(daemon.Options{
		Socket: socket, GID: os.Getgid(), Store: store, Policy: p, Cgroup: fmt.Sprintf("ccee-check-%d", os.Getpid()), Slots: 1,
		Log: zerolog.Nop(), SkipSelfTest: true, // it was tried already
	})
	if err != nil {
		return nil, err
	}
	ctx, stop := context.WithCancel(ctx)
	served := make(chan error, 1)
	go func() { served <- srv.Serve(ctx) }()
	defer func() {
		stop()
		err = errors.Join(err, <-served)
	}()
	d := client.New(socket)
	defer d.Close()
	languages, err := d.Languages(ctx)
	if err != nil {
		return nil, err
	}
	for _, l := range languages {
		all = append(all, helloOf(ctx, d, l))
	}
	return all, nil
}

func helloOf(ctx context.Context, d *client.Client, l job.Language) Hello {
	source, want, there := images.Hello(l.Name)
	if !there {
		return Hello{l.Name, true, "not tried: this ccee has no first program for it"}
	}
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	r, err := d.Run(ctx, job.Spec{ID: "hello-" + l.Name, Language: l.Name, Source: source, Run: job.Limits{WallMs: job.MaxLimits.WallMs, CPUMs: job.MaxLimits.CPUMs}})
	switch last := r.Last(); {
	case err != nil:
		return Hello{l.Name, false, err.Error()}
	case last == nil:
		return Hello{l.Name, false, string(r.Verdict)}
	case string(last.Stdout.Data) != want:
		return Hello{l.Name, false, fmt.Sprintf("%s, %s: %.200s%.100s", last.Name, last.Verdict, last.Message, last.Stderr.Data)}
	}
	return Hello{Language: l.Name, OK: true}
}
