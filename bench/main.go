// SPDX-License-Identifier: Apache-2.0

// Command bench times CCEE against what it is built on and against a public tool, side by side in one run, and prints ratios:
// absolute times differ from machine to machine, and from minute to minute.
//
//	make bench
//
// First a no-op in C: bare fork + exec, bubblewrap, and a job through the daemon's socket (a fresh jail each). Then hello
// in three languages: the runtime started bare in its image's directory, and a job over REST from submission to result.
// The contenders take turns, so that whatever disturbs the machine disturbs them all.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"syscall"
)

// inner is the name under which bench runs itself in a mount namespace of its own: it mounts /proc into directories, and the
// host must not see that.
const inner = "bench-inner"

func main() {
	if os.Args[0] == inner {
		os.Exit(run())
	}
	cmd := exec.Command("/proc/self/exe", os.Args[1:]...)
	cmd.Args[0] = inner
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Unshareflags: syscall.CLONE_NEWNS} // Go makes the mounts private
	if err := cmd.Run(); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run() int {
	binary := flag.String("ccee", "bin/ccee", "the binary to time")
	images := flag.String("images", "/var/lib/ccee/images", "image store with python, javascript and java")
	rounds := flag.Int("rounds", 300, "rounds of the no-op; a tenth of it, at least 20, of the hellos")
	parts := flag.String("parts", "api,noop,hello", "what to time; load, pool, soak and trace are further ones")
	jobs := flag.Int64("jobs", 1_000_000, "jobs of the soak")
	out := flag.String("out", "", "file with the results of the run before: compared with, then replaced")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	if err := bench(ctx, *binary, *images, *rounds, *jobs, strings.Split(*parts, ",")); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		return 1
	}
	if *out != "" {
		if err := keep(*out); err != nil {
			fmt.Fprintln(os.Stderr, "bench:", err)
			return 1
		}
	}
	return 0
}

func bench(ctx context.Context, binary, images string, rounds int, jobs int64, parts []string) error {
	if os.Geteuid() != 0 {
		return fmt.Errorf("must run as root: the daemon builds jails")
	}
	dir, err := os.MkdirTemp("", "ccee-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	if err := os.Chmod(dir, 0o755); err != nil { // worker and api run as another user
		return err
	}
	known := map[string]func() error{
		"api":   func() error { return api(ctx, dir, binary) },
		"noop":  func() error { return noop(ctx, dir, binary, rounds) },
		"soak":  func() error { return soak(ctx, dir, binary, jobs) },
		"load":  func() error { return load(ctx, dir, binary, images) },
		"trace": func() error { return trace(ctx, dir, binary, images, max(20, rounds/10)) },
		"pool":  func() error { return pools(ctx, dir, binary, images) },
		"hello": func() error { return hellos(ctx, dir, binary, images, max(20, rounds/10)) },
	}
	for _, part := range parts {
		run, there := known[part]
		if !there {
			return fmt.Errorf("there is no part %q", part)
		}
		if err := run(); err != nil {
			return fmt.Errorf("%s: %w", part, err)
		}
	}
	return nil
}
