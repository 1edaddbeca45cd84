// SPDX-License-Identifier: Apache-2.0

package doctor

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/ccee-dev/ccee/daemon/client"
	"github.com/ccee-dev/ccee/nsjail"
	"github.com/ccee-dev/ccee/queue"
	"github.com/ccee-dev/ccee/rootfs"
	"github.com/ccee-dev/ccee/supervise"

	"golang.org/x/sys/unix"
)

// Check is one row of the report.
type Check struct {
	nsjail.Check
	Unknown bool // this user could not try it; then OK is false
}

// Options says what the host is checked for.
type Options struct {
	RedisURL string // of the Redis to use; "": ccee up starts one
	Images   string // directory of the image store
	Socket   string // of the daemon
}

// Host runs all checks. It tries some of them in a sandbox of its own, which needs root.
func Host(ctx context.Context, o Options) Report {
	var checks Report
	for _, c := range append(nsjail.Probe(), redisServer(ctx, o.RedisURL), unprivilegedUser()) {
		checks = append(checks, Check{Check: c})
	}
	if o.RedisURL != "" {
		checks = append(checks, redisSettings(ctx, o.RedisURL))
	}
	return append(checks, imageStore(ctx, o.Images), runningDaemon(ctx, o.Socket))
}

// HostTask runs the checks of the tier task in the container that it is called in.
func HostTask() Report {
	var checks Report
	for _, c := range nsjail.ProbeTask(nsjail.TaskPlaces) {
		checks = append(checks, Check{Check: c})
	}
	return checks
}

func redisServer(ctx context.Context, url string) nsjail.Check {
	if url != "" {
		c := nsjail.Check{Name: "redis", Needed: true, OK: true, Detail: "the one of REDIS_URL answers", Fix: "start that Redis, or unset REDIS_URL"}
		if err := CheckRedis(ctx, url); err != nil {
			c.OK, c.Detail = false, err.Error()
		}
		return c
	}
	c := nsjail.Check{Name: "redis-server", Needed: true, Fix: "make deps (or apt-get install redis-server), or set REDIS_URL"}
	path, err := exec.LookPath("redis-server")
	if c.OK = err == nil; c.OK {
		c.Detail = path
	} else {
		c.Detail = "not in PATH; ccee up starts one unless REDIS_URL is set"
	}
	return c
}

// redisSettings checks whether the Redis at url may lose jobs, or take all of its machine's memory.
func redisSettings(ctx context.Context, url string) Check {
	c := Check{Check: nsjail.Check{Name: "redis", Fix: "see OPERATIONS.md, Redis"}}
	q, err := queue.Open(url, queue.Options{})
	if err != nil {
		c.Needed, c.Detail = true, err.Error()
		return c
	}
	defer q.Close()
	m, err := q.Memory(ctx)
	if err != nil {
		c.Needed, c.Detail = true, err.Error()
		return c
	}
	if c.Detail = m.Risk(); c.Detail == "" {
		c.OK, c.Detail = true, fmt.Sprintf("%d of %d MiB are used, %s", m.Used>>20, m.Max>>20, m.Policy)
	}
	return c
}

func unprivilegedUser() nsjail.Check {
	id := supervise.Unprivileged()
	c := nsjail.Check{Name: "user ccee", OK: id.Named, Fix: "make deps (or useradd --system --user-group ccee)"}
	c.Detail = fmt.Sprintf("redis, worker and api run as uid %d, gid %d", id.UID, id.GID)
	return c
}

// imageStore looks for language images.
func imageStore(ctx context.Context, dir string) Check {
	c := Check{Check: nsjail.Check{Name: "language images", Needed: true, Fix: "make images (or ccee image build, as root)"}}
	names, err := imageNames(ctx, dir)
	switch {
	case errors.Is(err, fs.ErrPermission):
		c.Unknown = true
		c.Detail, c.Fix = fmt.Sprintf("uid %d can't read the directory %s", os.Geteuid(), dir), "run ccee doctor as root"
	case err != nil:
		c.Detail = err.Error()
	case len(names) == 0:
		c.Detail = "none in " + dir
	default:
		c.OK, c.Detail = true, fmt.Sprintf("%s in %s", strings.Join(names, ", "), dir)
	}
	return c
}

// imageNames lists the images of the store in dir.
func imageNames(ctx context.Context, dir string) ([]string, error) {
	if err := CheckImages(dir); err != nil {
		return nil, err
	}
	store, err := rootfs.Open(dir)
	if err != nil {
		return nil, err
	}
	defer store.Close()
	images, err := store.List(ctx)
	if err != nil {
		return nil, err
	}
	names := make([]string, len(images))
	for i, image := range images {
		names[i] = image.Name
	}
	return names, nil
}

// CheckImages reports that dir is no image store, or one that never had an image.
func CheckImages(dir string) error {
	_, err := os.Stat(filepath.Join(dir, "index.json"))
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("there are no language images at %s: run make images, or name another store with --images", dir)
	}
	return err
}

// CheckSocket reports why a daemon could not listen at path. It makes the directory.
func CheckSocket(path string) error {
	const longest = 107 // bytes: sun_path in unix(7), less the NUL
	if len(path) > longest {
		return fmt.Errorf("the path %s of the socket has %d bytes, at most %d are possible: choose another with --socket", path, len(path), longest)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return fmt.Errorf("make the directory of the socket: %w: choose another with --socket", err)
	}
	conn, err := net.Dial("unix", path)
	if err != nil {
		return nil // nobody listens
	}
	conn.Close()
	return fmt.Errorf("a daemon is running on %s: stop it, or choose another with --socket", path)
}

func runningDaemon(ctx context.Context, socket string) Check {
	c := Check{Check: nsjail.Check{Name: "daemon", Detail: "ready at " + socket, Fix: "sudo ccee daemon, or everything with make run"}}
	if err := client.New(socket).Ready(ctx); err != nil {
		c.Detail = err.Error()
		if c.Unknown = errors.Is(unix.Access(socket, unix.W_OK), fs.ErrPermission); c.Unknown {
			c.Fix = "run ccee doctor as root or as a member of the group ccee"
		}
		return c
	}
	c.OK = true
	return c
}

// CheckRedis reports that the Redis at url can't be used. It asks once, for at most three seconds.
func CheckRedis(ctx context.Context, url string) error {
	q, err := queue.Open(url, queue.Options{})
	if err != nil {
		return fmt.Errorf("REDIS_URL: %w", err)
	}
	defer q.Close()
	if err := q.Ping(ctx); err != nil {
		return fmt.Errorf("REDIS_URL: %w: start that Redis, or unset REDIS_URL and ccee up runs one of its own", err)
	}
	return nil
}
