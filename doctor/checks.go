package main

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

	"golang.org/x/sys/unix"
)

// check is one line of ccee doctor.
type check struct {
	nsjail.Check
	unknown bool // it could not be tried as this user; then OK is false
}

func checkRedisServer(ctx context.Context) nsjail.Check {
	if os.Getenv("REDIS_URL") != "" {
		c := nsjail.Check{Name: "redis", Needed: true, OK: true, Detail: "the one of REDIS_URL answers", Fix: "start that Redis, or unset REDIS_URL"}
		if err := checkRedis(ctx); err != nil {
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

// checkRedisSettings looks whether the Redis at url may lose jobs, or take all of its machine's memory.
func checkRedisSettings(ctx context.Context, url string) check {
	c := check{Check: nsjail.Check{Name: "redis", Fix: "see OPERATIONS.md, Redis"}}
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

func checkUser() nsjail.Check {
	id := unprivileged()
	c := nsjail.Check{Name: "user ccee", OK: id.named, Fix: "make deps (or useradd --system --user-group ccee)"}
	c.Detail = fmt.Sprintf("redis, worker and api run as uid %d, gid %d", id.uid, id.gid)
	return c
}

// checkStore looks for language images.
func checkStore(ctx context.Context, dir string) check {
	c := check{Check: nsjail.Check{Name: "language images", Needed: true, Fix: "make images (or ccee image build, as root)"}}
	names, err := imageNames(ctx, dir)
	switch {
	case errors.Is(err, fs.ErrPermission):
		c.unknown = true
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
	if err := checkImages(dir); err != nil {
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

// checkImages reports that there is no image store at dir, or one that never had an image.
func checkImages(dir string) error {
	_, err := os.Stat(filepath.Join(dir, "index.json"))
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("there are no language images at %s: run make images, or name another store with --images", dir)
	}
	return err
}

// checkSocket reports that a daemon could not listen there.
func checkSocket(path string) error {
	const longest = 107 // bytes: sun_path in unix(7), less the NUL
	if len(path) > longest {
		return fmt.Errorf("the socket's name %s has %d bytes, at most %d are possible: choose another with --socket", path, len(path), longest)
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

func checkDaemon(ctx context.Context, socket string) check {
	c := check{Check: nsjail.Check{Name: "daemon", Detail: "ready at " + socket, Fix: "sudo ccee daemon, or everything with make run"}}
	if err := client.New(socket).Ready(ctx); err != nil {
		c.Detail = err.Error()
		if c.unknown = errors.Is(unix.Access(socket, unix.W_OK), fs.ErrPermission); c.unknown {
			c.Fix = "run ccee doctor as root or as a member of the group ccee"
		}
		return c
	}
	c.OK = true
	return c
}
