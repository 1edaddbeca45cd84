// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"

	"github.com/ccee-dev/ccee/daemon/client"
	"github.com/ccee-dev/ccee/rootfs"
)

// machine is a daemon of our own on an image store, and the store's images unpacked.
type machine struct {
	store  *rootfs.Store
	client *client.Client
	daemon *exec.Cmd
	dir    string
	jail   *jail
}

// start starts a daemon. Stop it.
func start(ctx context.Context, binary, images string) (m *machine, err error) {
	m = &machine{}
	defer func() {
		if err != nil {
			m.stop()
		}
	}()
	if m.store, err = rootfs.Open(images); err != nil {
		return nil, err
	}
	if m.dir, err = os.MkdirTemp("", "ccee-conformance-"); err != nil {
		return nil, err
	}
	log, err := os.Create(filepath.Join(m.dir, "log"))
	if err != nil {
		return nil, err
	}
	defer log.Close()
	socket := filepath.Join(m.dir, "socket")
	m.daemon = exec.Command(binary, "daemon", "--socket", socket, "--images", images, "--cgroup", fmt.Sprintf("ccee-conformance-%d", os.Getpid()),
		"--log-level", "warn", "--queue-wait-ms", "600000")
	m.daemon.Stdout, m.daemon.Stderr = log, log
	m.daemon.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // a Ctrl-C is for us: the daemon is stopped in its turn
	if err := m.daemon.Start(); err != nil {
		m.daemon = nil
		return nil, err
	}
	m.client = client.New(socket)
	m.jail = &jail{client: m.client}
	return m, m.await(ctx)
}

// await waits until the daemon serves.
func (m *machine) await(ctx context.Context) error {
	var err error
	for range 600 {
		if err = m.client.Ready(ctx); err == nil || ctx.Err() != nil {
			return err
		}
		select {
		case <-time.After(100 * time.Millisecond):
		case <-ctx.Done():
		}
	}
	said, _ := os.ReadFile(filepath.Join(m.dir, "log"))
	return fmt.Errorf("%w; its log: %s", err, said)
}

// beside returns the place outside of a jail that has the image of a language.
func (m *machine) beside(ctx context.Context, language string) (*chroot, error) {
	image, err := m.store.Get(ctx, language)
	if err != nil {
		return nil, err
	}
	c := &chroot{}
	if err := json.Unmarshal([]byte(image.Labels[rootfs.LabelLanguage]), &c.language); err != nil {
		return nil, fmt.Errorf("language profile of image %s: %w", language, err)
	}
	c.root, err = m.store.Unpack(ctx, image)
	return c, err
}

func (m *machine) stop() {
	if m.client != nil {
		m.client.Close()
	}
	if m.daemon != nil {
		_ = m.daemon.Process.Signal(syscall.SIGTERM)
		_ = m.daemon.Wait()
	}
	if m.store != nil {
		_ = m.store.Close()
	}
	_ = os.RemoveAll(m.dir)
}

// errSkipped is in the chain of errors about what can't be had on this machine.
var errSkipped = errors.New("skipped")
