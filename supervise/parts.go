// SPDX-License-Identifier: Apache-2.0

package supervise

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"slices"
	"strings"
	"time"

	"github.com/ccee-dev/ccee/daemon/client"
)

// children returns the parts in the order of their start. The daemon alone is root.
func (u *Up) children() []child {
	var all []child
	if u.redis != nil {
		all = append(all, child{name: "redis", prepare: u.redis.checkAOF, command: u.redis.command, cred: u.id.credential(),
			ready: redisAnswers, grace: 20 * time.Second, started: u.place(oomRedis)})
	}
	return append(all,
		child{name: "daemon", command: u.daemonCommand, ready: client.New(u.Socket).Ready,
			grace: 20 * time.Second, started: u.place(oomDaemon), restartForever: true},
		child{name: "worker", command: u.workerCommand, cred: u.id.credential(), ready: readyAtOnce,
			grace: 20 * time.Second, started: u.place(oomWorker), restartForever: true},
		child{name: "api", command: u.apiCommand, cred: u.id.credential(), ready: u.apiReady,
			grace: 12 * time.Second, started: u.place(oomAPI)},
	)
}

func (u *Up) daemonCommand() *exec.Cmd {
	args := []string{"--socket", u.Socket, "--images", u.Images, "--cgroup", u.Cgroup}
	if u.Policy != "" {
		args = append(args, "--seccomp", u.Policy, "--seccomp-kept", u.kept)
	}
	return u.reexec("daemon", u.Environ("daemon"), args...)
}

func (u *Up) workerCommand() *exec.Cmd {
	env, args := u.Environ("worker"), []string{"--socket", u.Socket}
	isSet := func(entry string) bool {
		return strings.HasPrefix(entry, "WORKER_CONCURRENCY=") && !strings.HasSuffix(entry, "=")
	}
	if !slices.ContainsFunc(env, isSet) {
		args = append(args, "--concurrency", "0") // as many as the daemon has slots: it is the only worker
	}
	return u.reexec("worker", u.withRedis(env), args...)
}

// apiCommand hands the listening socket on. It belongs to ccee up, so while an api restarts clients wait instead of
// being refused, and nobody else can take the port in between.
func (u *Up) apiCommand() *exec.Cmd {
	args := []string{"--listen-fd", "3", "--languages", u.Languages}
	if u.Dev {
		args = append(args, "--dev")
	}
	c := u.reexec("api", u.withRedis(u.Environ("api")), args...)
	f, err := u.Listener.File()
	if err != nil {
		c.Err = fmt.Errorf("duplicate the listening socket: %w", err)
		return c
	}
	c.ExtraFiles = []*os.File{f}
	return c
}

// withRedis adds the address of the stack's own Redis, if it has one.
func (u *Up) withRedis(env []string) []string {
	if u.redis != nil {
		env = append(slices.Clip(env), "REDIS_URL="+ownRedisURL)
	}
	return env
}

// reexec runs this very binary, even when the file has been replaced meanwhile.
func (u *Up) reexec(subcommand string, env []string, args ...string) *exec.Cmd {
	args = append([]string{"ccee", subcommand, "--log-level", u.LogLevel}, args...)
	if env == nil {
		env = []string{} // nil would be the whole environment of ccee up
	}
	return &exec.Cmd{Path: "/proc/self/exe", Args: args, Env: env, Stdout: os.Stderr, Stderr: os.Stderr}
}

// readyAtOnce is for the worker, which nobody can ask: the api reports whether a worker has announced what it can run.
func readyAtOnce(context.Context) error { return nil }

// apiReady asks over the network what a client would ask: whether a job would run.
func (u *Up) apiReady(ctx context.Context) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+u.Listener.Addr().String()+"/ready", nil)
	if err != nil {
		return err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	var answer struct {
		CanRun            bool
		Reasons, Warnings []string
	}
	if err := json.NewDecoder(io.LimitReader(resp.Body, 1<<20)).Decode(&answer); err != nil {
		return fmt.Errorf("GET /ready answers %s: %w", resp.Status, err)
	}
	if !answer.CanRun {
		return fmt.Errorf("GET /ready answers %s: %s", resp.Status, strings.Join(slices.Concat(answer.Reasons, answer.Warnings), "; "))
	}
	return nil
}
