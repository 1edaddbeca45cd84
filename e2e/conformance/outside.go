// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/ccee-dev/ccee/job"
)

// chroot runs programs on the image's files without a jail: as the same uid, with the same environment and files, in namespaces that
// keep what tests do off this machine (its processes, its mounts, its network: nothing but loopback), and with no limit but time.
type chroot struct {
	root     string // the image's files
	language job.Language
	// hidden are files of ours in the image, names below root, that a program outside does not find: else what they do to programs would
	// be the same in both places.
	hidden []string
}

// outsideRequest is what the child process is told on stdin.
type outsideRequest struct {
	Root   string
	Hidden []string
	Steps  []outsideStep
	Files  []job.File
	Report string
	Wall   time.Duration
}

type outsideStep struct {
	Name string
	Argv []string
	Env  []string
}

// outsideAnswer is what it answers on descriptor 3.
type outsideAnswer struct {
	End    string
	Wall   time.Duration
	Report []byte
	Error  string
}

func (c *chroot) run(ctx context.Context, p program) (ran, error) {
	req := outsideRequest{Root: c.root, Hidden: c.hidden, Files: p.files, Report: p.report, Wall: p.wall}
	if p.source != "" {
		req.Files = append([]job.File{{Name: c.language.SourceFile, Data: []byte(p.source)}}, req.Files...)
	}
	env := environ(c.language.Env, p.env)
	if len(c.language.Compile) > 0 {
		req.Steps = append(req.Steps, outsideStep{"compile", c.argv(c.language.Compile), environ(c.language.Env, nil)})
	}
	req.Steps = append(req.Steps, outsideStep{"run", append(c.argv(c.language.Run), p.args...), env})
	body, err := json.Marshal(req)
	if err != nil {
		return ran{}, err
	}
	answer, stdout, stderr, err := startOutside(ctx, body)
	if err == nil && answer.Error != "" {
		err = errors.New(answer.Error)
	}
	if err != nil {
		return ran{}, fmt.Errorf("run outside: %w: %s", err, stderr)
	}
	return ran{report: answer.Report, stdout: stdout, stderr: stderr, end: answer.End, wall: answer.Wall}, nil
}

// argv puts in what the words in braces stand for, see job.Language, and leaves out arguments that depend on a job's limits.
func (c *chroot) argv(words []string) []string {
	replace := strings.NewReplacer("{source}", c.language.SourceFile, "{class}", strings.TrimSuffix(c.language.SourceFile, ".java"))
	var argv []string
	for _, w := range words {
		if w = replace.Replace(w); !strings.ContainsAny(w, "{}") {
			argv = append(argv, w)
		}
	}
	return argv
}

// environ puts the environment together. A value with a word in braces depends on a job's limits: outside there are none.
func environ(maps ...map[string]string) []string {
	env := []string{}
	for _, m := range maps {
		for k, v := range m {
			if !strings.ContainsAny(v, "{}") {
				env = append(env, k+"="+v)
			}
		}
	}
	return env
}

// startOutside runs this binary once more as the first process of new namespaces; outsideMain is what it does there.
func startOutside(ctx context.Context, request []byte) (answer outsideAnswer, stdout, stderr string, err error) {
	r, w, err := os.Pipe()
	if err != nil {
		return answer, "", "", err
	}
	defer r.Close()
	cmd := exec.CommandContext(ctx, "/proc/self/exe")
	cmd.Args = []string{outsideName}
	cmd.Stdin, cmd.ExtraFiles = bytes.NewReader(request), []*os.File{w}
	out, errs := &head{}, &head{}
	cmd.Stdout, cmd.Stderr = out, errs
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags: syscall.CLONE_NEWNS | syscall.CLONE_NEWPID | syscall.CLONE_NEWNET | syscall.CLONE_NEWIPC | syscall.CLONE_NEWUTS,
		Pdeathsig:  syscall.SIGKILL,
	}
	err = cmd.Start()
	w.Close()
	if err != nil {
		return answer, "", "", err
	}
	body, readErr := io.ReadAll(r)
	err = errors.Join(readErr, cmd.Wait())
	if err == nil {
		err = json.Unmarshal(body, &answer)
	}
	return answer, out.String(), errs.String(), err
}

// head keeps the first bytes of an output, as many as a job's.
type head struct{ bytes.Buffer }

func (h *head) Write(b []byte) (int, error) {
	if room := int(generous.OutputBytes) - h.Len(); room > 0 {
		h.Buffer.Write(b[:min(room, len(b))])
	}
	return len(b), nil
}

// writeFiles writes the program's files into dir, for its uid.
func writeFiles(dir string, files []job.File) error {
	for _, f := range files {
		name := filepath.Join(dir, f.Name)
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			return err
		}
		mode := os.FileMode(0o644)
		if f.Exec {
			mode = 0o755
		}
		if err := os.WriteFile(name, f.Data, mode); err != nil {
			return err
		}
		for at := name; at != dir; at = filepath.Dir(at) {
			if err := os.Chown(at, sandboxUID, sandboxUID); err != nil {
				return err
			}
		}
	}
	return nil
}
