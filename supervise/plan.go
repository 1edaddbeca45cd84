package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"slices"
	"strings"
	"time"

	"github.com/ccee-dev/ccee/daemon/client"
	"github.com/ccee-dev/ccee/nsjail"

	"github.com/rs/zerolog"
	"github.com/urfave/cli/v3"
)

// plan is what ccee up has found out before it starts anything.
type plan struct {
	cmd                  *cli.Command
	id                   identity
	log                  zerolog.Logger
	socket, images, data string // absolute, as are the next ones
	policy, kept         string // CCEE_SECCOMP, and where the daemon keeps the last policy that served; "" without
	languages            string // CCEE_LANGUAGES, or its "none"
	listener             *net.TCPListener
	lock                 *os.File
	redis                string // redis-server's path; "" with a REDIS_URL from outside
	services             *nsjail.Services
	scores               bool  // oom_score_adj can be lowered, which takes CAP_SYS_RESOURCE
	redisMemory          int64 // bytes
}

// children returns the parts in the order of their start.
func (u *plan) children() []child {
	var cs []child
	if u.redis != "" {
		cs = append(cs, u.redisChild())
	}
	return append(cs,
		child{name: "daemon", command: u.daemonCommand, ready: client.New(u.socket).Ready, grace: 20 * time.Second, started: u.place(oomDaemon), patient: true},
		child{name: "worker", command: u.workerCommand, cred: u.id.credential(), ready: atOnce, grace: 20 * time.Second, started: u.place(oomWorker), patient: true},
		child{name: "api", command: u.apiCommand, cred: u.id.credential(), ready: u.apiReady, grace: 12 * time.Second, started: u.place(oomAPI)},
	)
}

// place has a service be killed late for memory, and run with the weight of all services: neither the jobs nor a host that is busy
// otherwise are to keep it waiting.
func (u *plan) place(oomScore int) func(pid int) error {
	return func(pid int) error {
		var err error
		if u.scores {
			err = setOOMScore(pid, oomScore)
		}
		return errors.Join(err, u.services.Join(pid))
	}
}

// favourServices makes ready what place does. Without it the services run all the same.
func (u *plan) favourServices() {
	err := setOOMScore(os.Getpid(), oomDaemon) // they all die with this process
	if u.scores = err == nil; !u.scores {
		u.log.Warn().Err(err).Msg("the kernel may kill the services for memory")
	}
	if u.services, err = nsjail.OpenServices(u.cmd.String("cgroup")); err != nil {
		u.log.Warn().Err(err).Msg("the services have no cgroup of their own: jobs may keep them waiting")
	}
}

func (u *plan) daemonCommand() *exec.Cmd {
	args := []string{"--socket", u.socket, "--images", u.images, "--cgroup", u.cmd.String("cgroup")}
	if u.policy != "" {
		args = append(args, "--seccomp", u.policy, "--seccomp-kept", u.kept)
	}
	return u.reexec(daemonCommand(), nil, args...)
}

func (u *plan) workerCommand() *exec.Cmd {
	args := []string{"--socket", u.socket}
	if os.Getenv("WORKER_CONCURRENCY") == "" {
		args = append(args, "--concurrency", "0") // as many as the daemon has slots: it is the only worker
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
	args = append(args, "--languages", cmp.Or(u.languages, noLanguages)) // its own worker announces what there is within a second
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

// atOnce is for the worker, which nobody can ask: the api says whether a worker has announced what it can run.
func atOnce(context.Context) error { return nil }

// apiReady asks over the network what a client would ask: whether a job would run.
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
	var said struct {
		CanRun            bool
		Reasons, Warnings []string
	}
	if err := json.NewDecoder(io.LimitReader(resp.Body, 1<<20)).Decode(&said); err != nil {
		return fmt.Errorf("GET /ready answers %s: %w", resp.Status, err)
	}
	if !said.CanRun {
		return fmt.Errorf("GET /ready answers %s: %s", resp.Status, strings.Join(slices.Concat(said.Reasons, said.Warnings), "; "))
	}
	return nil
}

func (u *plan) close() {
	_ = u.listener.Close()
	_ = u.services.Close() // what is left is used again
	if u.lock != nil {
		_ = u.lock.Close()
	}
}
