// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/ccee-dev/ccee/daemon/client"
	"github.com/ccee-dev/ccee/job"
	"github.com/ccee-dev/ccee/rootfs"
)

// noop times a program that does nothing: all of the time is the cost of starting it.
func noop(ctx context.Context, dir, binary string, rounds int) error {
	store, tree, err := noopStore(ctx, dir)
	if err != nil {
		return err
	}
	contenders := []contender{{name: "fork + exec + wait", do: program{args: []string{filepath.Join(tree, "noop")}}.run}}
	if bwrap, err := exec.LookPath("bwrap"); err == nil {
		contenders = append(contenders, contender{name: "bubblewrap --unshare-all", do: program{args: []string{bwrap, "--unshare-all",
			"--ro-bind", tree, "/", "--proc", "/proc", "--dev", "/dev", "--tmpfs", "/tmp", "/noop"}}.run})
	} else {
		fmt.Println("without bubblewrap, which is not installed: make test-deps")
	}
	if runc, err := newRunc(dir, tree); err == nil {
		contenders = append(contenders, runc)
	} else {
		fmt.Printf("without runc: %v\n", err)
	}
	var ours []contender
	for _, way := range ways[:2] { // a no-op has no runtime
		socket := filepath.Join(dir, "noop-"+way.name+".sock")
		running, err := start(binary, filepath.Join(dir, "daemon-"+way.name+".log"), way.env,
			"daemon", "--socket", socket, "--images", store, "--cgroup", "ccee-bench-noop-"+way.name, "--log-level", "warn")
		if err != nil {
			return err
		}
		defer running.stop()
		c := client.New(socket)
		if err := until(ctx, func() error { return c.Ready(ctx) }); err != nil {
			return err
		}
		ours = append(ours, contender{name: "ccee: through the daemon's socket, " + way.name, do: func(ctx context.Context) error {
			r, err := c.Run(ctx, job.Spec{ID: rand.Text(), Language: "noop", Source: "-"})
			if err == nil && r.Status != job.Succeeded {
				err = fmt.Errorf("it ended with %s", r.Verdict)
			}
			return err
		}})
	}
	if err := contest(ctx, "no-op", rounds, append(contenders, ours...)...); err != nil {
		return err
	}
	for _, clients := range []int{1, 4, 16} {
		for _, one := range ours {
			if err := throughput(ctx, one, clients, 3*time.Second); err != nil {
				return err
			}
		}
	}
	return nil
}

// ways are the ways in which a job gets its sandbox.
var ways = []struct {
	name string
	env  []string
	wait time.Duration // before each job
}{
	{"cold", []string{"CCEE_READY=0"}, 0},     // made on demand
	{"ready", []string{"CCEE_WARM=false"}, 0}, // prewarmed, without a runtime
	{"warm", nil, 1500 * time.Millisecond},    // with the runtime started ahead, which takes a JVM a second
}

// newRunc is runc with a bundle of the same tree.
func newRunc(dir, tree string) (contender, error) {
	runc, err := exec.LookPath("runc")
	if err != nil {
		return contender{}, errors.New("it is not installed: make test-deps")
	}
	bundle := filepath.Join(dir, "bundle")
	if err := os.Mkdir(bundle, 0o755); err != nil {
		return contender{}, err
	}
	spec := exec.Command(runc, "spec")
	spec.Dir = bundle
	if out, err := spec.CombinedOutput(); err != nil {
		return contender{}, fmt.Errorf("runc spec: %w: %s", err, out)
	}
	file := filepath.Join(bundle, "config.json")
	b, err := os.ReadFile(file)
	if err != nil {
		return contender{}, err
	}
	var cfg map[string]any
	if err := json.Unmarshal(b, &cfg); err != nil {
		return contender{}, err
	}
	cfg["root"] = map[string]any{"path": tree, "readonly": true}
	process := cfg["process"].(map[string]any)
	process["terminal"], process["args"] = false, []string{"/noop"}
	if b, err = json.Marshal(cfg); err != nil {
		return contender{}, err
	}
	if err := os.WriteFile(file, b, 0o600); err != nil {
		return contender{}, err
	}
	return contender{name: "runc run", do: func(ctx context.Context) error {
		return program{args: []string{runc, "--root", filepath.Join(dir, "runc"), "run", "--bundle", bundle, rand.Text()}}.run(ctx)
	}}, nil
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
