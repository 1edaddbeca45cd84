package main

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"ccee/api/job"
	"ccee/daemon/client"
	"ccee/rootfs"
)

// noop times a program that does nothing, so that what is left is the cost of starting it.
func noop(ctx context.Context, dir, binary string, rounds int) error {
	store, tree, err := noopStore(ctx, dir)
	if err != nil {
		return err
	}
	socket := filepath.Join(dir, "noop.sock")
	running, err := start(binary, filepath.Join(dir, "daemon.log"), nil,
		"daemon", "--socket", socket, "--images", store, "--cgroup", "ccee-bench-noop", "--log-level", "warn")
	if err != nil {
		return err
	}
	defer running.stop()
	c := client.New(socket)
	if err := until(ctx, func() error { return c.Ready(ctx) }); err != nil {
		return err
	}
	jail := contender{"ccee: a job through the daemon's socket", func(ctx context.Context) error {
		r, err := c.Run(ctx, job.Spec{ID: rand.Text(), Language: "noop", Source: "-"})
		if err == nil && r.Status != job.Succeeded {
			err = fmt.Errorf("it ended with %s", r.Verdict)
		}
		return err
	}}
	contenders := []contender{{"fork + exec + wait", program{args: []string{filepath.Join(tree, "noop")}}.run}}
	if bwrap, err := exec.LookPath("bwrap"); err == nil {
		contenders = append(contenders, contender{"bubblewrap --unshare-all", program{args: []string{bwrap, "--unshare-all",
			"--ro-bind", tree, "/", "--proc", "/proc", "--dev", "/dev", "--tmpfs", "/tmp", "/noop"}}.run})
	} else {
		fmt.Println("without bubblewrap, which is not installed: make test-deps")
	}
	if err := contest(ctx, "no-op", rounds, append(contenders, jail)...); err != nil {
		return err
	}
	for _, clients := range []int{1, 4} {
		if err := throughput(ctx, jail, clients, 3*time.Second); err != nil {
			return err
		}
	}
	return nil
}

// noopStore makes an image store with one image of one file, and returns the store's directory and the image's tree.
func noopStore(ctx context.Context, dir string) (storeDir, tree string, err error) {
	source, program := filepath.Join(dir, "noop.c"), filepath.Join(dir, "noop")
	if err := os.WriteFile(source, []byte("int main(void) { return 0; }\n"), 0o644); err != nil {
		return "", "", err
	}
	if out, err := exec.CommandContext(ctx, "gcc", "-O2", "-static", "-o", program, source).CombinedOutput(); err != nil {
		return "", "", fmt.Errorf("compile the no-op: %w: %s", err, out)
	}
	archive := filepath.Join(dir, "noop.tar")
	if err := saveImage(archive, program); err != nil {
		return "", "", err
	}
	language, err := json.Marshal(job.Language{Name: "noop", DisplayName: "No-op", Version: "1", SourceFile: "source", Run: []string{"/noop"}})
	if err != nil {
		return "", "", err
	}
	storeDir = filepath.Join(dir, "images")
	store, err := rootfs.Open(storeDir)
	if err != nil {
		return "", "", err
	}
	defer store.Close()
	image, err := store.Import(ctx, archive, "noop", rootfs.ImportOptions{Language: language})
	if err != nil {
		return "", "", err
	}
	tree, err = store.Unpack(ctx, image)
	return storeDir, tree, err
}
