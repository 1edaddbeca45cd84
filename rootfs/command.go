// SPDX-License-Identifier: Apache-2.0

package rootfs

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"strings"
	"syscall"
	"time"
)

// inTree runs a command chrooted into the tree, in namespaces of its own, without network, and returns its stdout. /proc is
// mounted: the dynamic linker needs it for $ORIGIN.
func (b *build) inTree(ctx context.Context, cwd string, argv []string) ([]byte, error) {
	args := []string{"--mount", "--pid", "--fork", "--kill-child", "--net", "--ipc", "--uts", "--mount-proc",
		"--root=" + b.tree, "--wd=" + cwd, "--"}
	cmd := exec.CommandContext(ctx, "unshare", append(args, argv...)...)
	cmd.Env = []string{"PATH=/usr/bin:/bin", "LC_ALL=C.UTF-8", "HOME=" + cwd}
	for k, v := range b.env {
		cmd.Env = append(cmd.Env, k+"="+v)
	}
	out, err := b.command(cmd, false)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", strings.Join(argv, " "), err)
	}
	return out, nil
}

// command runs cmd and returns its stdout. If show is set, its output goes to Progress too. An error has the last lines of the output.
func (b *build) command(cmd *exec.Cmd, show bool) ([]byte, error) {
	var stdout, both bytes.Buffer
	all := io.Writer(&both)
	if show {
		all = io.MultiWriter(&both, &prefixer{w: b.Progress, prefix: b.name + ":   "})
	}
	cmd.Stdout, cmd.Stderr = io.MultiWriter(&stdout, all), all
	if !show {
		cmd.Stdout = &stdout
	}
	// The whole group: children of mmdebstrap and npm would continue to write into a directory that is being removed.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGTERM) }
	cmd.WaitDelay = 5 * time.Second
	err := cmd.Run()
	if errors.Is(err, exec.ErrNotFound) {
		return nil, fmt.Errorf("%w: install it (Debian packages: mmdebstrap, util-linux, npm)", err)
	}
	if err != nil {
		both.Write(stdout.Bytes())
		return nil, fmt.Errorf("%w: %s", err, lastLines(both.Bytes(), 10))
	}
	return stdout.Bytes(), nil
}

func lastLines(b []byte, n int) []byte {
	b = bytes.TrimSpace(b)
	lines := bytes.Split(b, []byte("\n"))
	if len(lines) > n {
		lines = lines[len(lines)-n:]
	}
	return bytes.Join(lines, []byte("\n"))
}

// prefixer puts a prefix before each line.
type prefixer struct {
	w      io.Writer
	prefix string
	rest   []byte
}

func (p *prefixer) Write(b []byte) (int, error) {
	p.rest = append(p.rest, b...)
	for {
		line, rest, found := bytes.Cut(p.rest, []byte("\n"))
		if !found {
			return len(b), nil
		}
		if _, err := fmt.Fprintf(p.w, "%s%s\n", p.prefix, line); err != nil {
			return 0, err
		}
		p.rest = rest
	}
}
