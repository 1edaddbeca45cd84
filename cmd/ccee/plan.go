package main

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"time"

	"ccee/daemon/client"

	"github.com/rs/zerolog"
	"github.com/urfave/cli/v3"
)

// plan is what ccee up has found out before it starts anything.
type plan struct {
	cmd                  *cli.Command
	id                   identity
	log                  zerolog.Logger
	socket, images, data string // absolute
	listener             *net.TCPListener
	lock                 *os.File
	redis                string // redis-server's path; "" with a REDIS_URL from outside
	redisMemory          int64  // bytes
}

// upConcurrency is how many jobs the worker of ccee up has at once unless WORKER_CONCURRENCY is set. It must be well above
// the default quota of unfinished jobs: else one tenant's slow jobs take every place and the others wait.
const upConcurrency = 16

// children returns the parts in the order of their start.
func (u *plan) children() []child {
	var cs []child
	if u.redis != "" {
		cs = append(cs, u.redisChild())
	}
	return append(cs,
		child{name: "daemon", command: u.daemonCommand, ready: client.New(u.socket).Ready, grace: 20 * time.Second},
		child{name: "worker", command: u.workerCommand, cred: u.id.credential(), ready: atOnce, grace: 20 * time.Second},
		child{name: "api", command: u.apiCommand, cred: u.id.credential(), ready: u.apiReady, grace: 12 * time.Second},
	)
}

func (u *plan) daemonCommand() *exec.Cmd {
	return u.reexec(daemonCommand(), nil, "--socket", u.socket, "--images", u.images, "--cgroup", u.cmd.String("cgroup"))
}

func (u *plan) workerCommand() *exec.Cmd {
	args := []string{"--socket", u.socket}
	if os.Getenv("WORKER_CONCURRENCY") == "" {
		args = append(args, "--concurrency", fmt.Sprint(upConcurrency))
	}
	return u.reexec(workerCommand(), workerSecrets(), args...)
}

// apiCommand hands the listening socket on. It belongs to ccee up, so while an api starts again clients wait instead of
// being refused, and the port can't be taken in between.
func (u *plan) apiCommand() *exec.Cmd {
	args := []string{"--listen-fd", "3"}
	if u.cmd.Bool("dev") {
		args = append(args, "--dev")
	}
	c := u.reexec(apiCommand(), apiSecrets(), args...)
	f, err := u.listener.File()
	if err != nil {
		c.Err = fmt.Errorf("duplicate the listening socket: %w", err)
		return c
	}
	c.ExtraFiles = []*os.File{f}
	return c
}

// reexec runs this very binary, even when the file has been replaced meanwhile, with only those environment variables that
// the subcommand reads.
func (u *plan) reexec(sub *cli.Command, secrets []string, args ...string) *exec.Cmd {
	args = append([]string{"ccee", sub.Name, "--log-level", u.cmd.String("log-level")}, args...)
	c := &exec.Cmd{Path: "/proc/self/exe", Args: args, Env: []string{}, Stdout: os.Stderr, Stderr: os.Stderr}
	names := secrets
	for _, f := range sub.Flags {
		if d, ok := f.(cli.DocGenerationFlag); ok {
			names = append(names, d.GetEnvVars()...)
		}
	}
	for _, name := range names {
		if v, ok := os.LookupEnv(name); ok {
			c.Env = append(c.Env, name+"="+v)
		}
	}
	if u.redis != "" && len(secrets) > 0 {
		c.Env = append(c.Env, "REDIS_URL="+ownRedisURL)
	}
	return c
}

// atOnce is for the worker, which nobody can ask: the api is ready when a worker has announced its languages.
func atOnce(context.Context) error { return nil }

// apiReady asks over the network what a client would ask.
func (u *plan) apiReady(ctx context.Context) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+u.listener.Addr().String()+"/ready", nil)
	if err != nil {
		return err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("GET /ready answers %s", resp.Status)
	}
	return nil
}

func (u *plan) close() {
	_ = u.listener.Close()
	if u.lock != nil {
		_ = u.lock.Close()
	}
}
