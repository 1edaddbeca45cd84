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

	"ccee/daemon/client"
	"ccee/nsjail"
	"ccee/rootfs"
)

func checkRedisServer() nsjail.Check {
	c := nsjail.Check{Name: "redis-server", Needed: os.Getenv("REDIS_URL") == "", Fix: "make deps (or apt-get install redis-server), or set REDIS_URL"}
	path, err := exec.LookPath("redis-server")
	if c.OK = err == nil; c.OK {
		c.Detail = path
	} else {
		c.Detail = "not in PATH; ccee up starts one unless REDIS_URL is set"
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
func checkStore(ctx context.Context, dir string) nsjail.Check {
	c := nsjail.Check{Name: "language images", Needed: true, Fix: "make images (or ccee image build, as root)"}
	if err := checkImages(dir); err != nil {
		c.Detail = err.Error()
		return c
	}
	store, err := rootfs.Open(dir)
	if err != nil {
		c.Detail = err.Error()
		return c
	}
	defer store.Close()
	images, err := store.List(ctx)
	if err != nil {
		c.Detail = err.Error()
		return c
	}
	var names []string
	for _, image := range images {
		names = append(names, image.Name)
	}
	c.OK = len(names) > 0
	c.Detail = fmt.Sprintf("%s in %s", strings.Join(names, ", "), dir)
	if !c.OK {
		c.Detail = "none in " + dir
	}
	return c
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

func checkDaemon(ctx context.Context, socket string) nsjail.Check {
	c := nsjail.Check{Name: "daemon", Detail: "ready at " + socket, Fix: "sudo ccee daemon, or everything with make run"}
	if err := client.New(socket).Ready(ctx); err != nil {
		c.Detail = err.Error()
		return c
	}
	c.OK = true
	return c
}
