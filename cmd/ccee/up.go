// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"

	"github.com/ccee-dev/ccee/doctor"
	"github.com/ccee-dev/ccee/policy"
	"github.com/ccee-dev/ccee/supervise"

	"github.com/urfave/cli/v3"
)

func upCommand() *cli.Command {
	return &cli.Command{
		Name:  "up",
		Usage: "start everything on this machine: redis-server, daemon, worker and api",
		Description: `Starts the parts as child processes: the daemon as root, the rest as the user ccee (or the id 61523), and a
redis-server with an append-only file below --data unless REDIS_URL names one. Prints one line

   ready http://HOST:PORT

on stdout when a job can run; logs go to stderr. A part that dies is restarted. If redis or the api keeps dying, ccee up stops all parts
and ends with the reason; while a daemon or a worker keeps dying, jobs are accepted and wait, and GET /ready reports it. SIGTERM or Ctrl-C
stops api, worker, daemon and redis, in this order.

   ccee up --dev                                        # key dev-local-key, loopback only
   TENANT_API_KEYS_JSON='{"KEY":{"tenantId":"acme"}}' ccee up --listen 0.0.0.0:8080

Each part gets the environment variables of ccee daemon, worker or api, and no other variable. The worker runs as
many jobs at once as the daemon has slots unless WORKER_CONCURRENCY is set.`,
		Flags: []cli.Flag{
			devFlag(), listenFlag(), apiPortFlag(), socketFlag(), imagesFlag(), cgroupFlag(), logLevelFlag(),
			intFlag("redis-memory-mb", "CCEE_REDIS_MEMORY_MB", 0, 0, 1<<24, "MiB of memory for the Redis that it starts, 0 for 25 % of the machine's"),
			stringFlag("data", "CCEE_DATA", defaultData, "`DIR` for Redis's files"),
		},
		Action: noArgs(up),
	}
}

func up(ctx context.Context, cmd *cli.Command) error {
	o, err := upOptions(ctx, cmd)
	if err != nil {
		return err
	}
	u, err := supervise.New(o)
	if err != nil {
		_ = o.Listener.Close()
		return err
	}
	defer u.Close()
	return u.Run(ctx, func() error {
		if _, err := fmt.Fprintf(cmd.Root().Writer, "ready http://%s\n", o.Listener.Addr()); err != nil {
			return fmt.Errorf("print the ready line: %w", err)
		}
		return nil
	})
}

// upOptions checks all that can be checked before anything is started, so that an error is printed alone and not somewhere in a log.
func upOptions(ctx context.Context, cmd *cli.Command) (o supervise.Options, err error) {
	if err := needRoot("up", "the daemon builds jails"); err != nil {
		return o, err
	}
	if err := checkKeys(cmd.Bool("dev")); err != nil {
		return o, err
	}
	addr, err := listenAddress(cmd)
	if err != nil {
		return o, err
	}
	redis := os.Getenv("REDIS_URL")
	o = supervise.Options{
		Cgroup: cmd.String("cgroup"), LogLevel: cmd.String("log-level"), Dev: cmd.Bool("dev"), RedisURL: redis != "",
		RedisMemoryMB: cmd.Int64("redis-memory-mb"), Environ: partEnviron, Log: newLogger("up", cmd.String("log-level")),
	}
	if o.Languages, err = checkedLanguages(os.Getenv("CCEE_LANGUAGES")); err != nil {
		return o, err
	}
	if o.Policy, err = checkedPolicy(os.Getenv("CCEE_SECCOMP")); err != nil {
		return o, err
	}
	for _, p := range []struct {
		to   *string
		flag string
	}{{&o.Socket, "socket"}, {&o.Images, "images"}, {&o.Data, "data"}} {
		if *p.to, err = filepath.Abs(cmd.String(p.flag)); err != nil {
			return o, fmt.Errorf("--%s: %w", p.flag, err)
		}
	}
	if redis != "" {
		err = doctor.CheckRedis(ctx, redis)
	}
	if err := errors.Join(doctor.CheckImages(o.Images), doctor.CheckSocket(o.Socket), err); err != nil {
		return o, err
	}
	l, err := listenTCP(addr)
	if err != nil {
		return o, err
	}
	o.Listener = l.(*net.TCPListener)
	return o, nil
}

// checkedPolicy returns the absolute path of a policy that can be loaded; "" stays "".
func checkedPolicy(file string) (string, error) {
	if file == "" {
		return "", nil
	}
	if _, err := policy.Load(file); err != nil {
		return "", err
	}
	return filepath.Abs(file)
}

// checkedLanguages returns the api's --languages: the absolute path of a list that can be read, or its word for none.
func checkedLanguages(file string) (string, error) {
	if file == "" || file == noLanguages {
		return noLanguages, nil // the worker beside it announces its languages within a second
	}
	if _, err := seedLanguages(file); err != nil {
		return "", err
	}
	return filepath.Abs(file)
}

// partEnviron returns those variables of the environment that a subcommand reads.
func partEnviron(subcommand string) []string {
	var names []string
	for _, p := range []struct {
		*cli.Command
		secrets []string
	}{{daemonCommand(), nil}, {workerCommand(), workerSecrets()}, {apiCommand(), apiSecrets()}} {
		if p.Name == subcommand {
			names = append(p.secrets, environmentNames(p.Command)...)
		}
	}
	var env []string
	for _, name := range names {
		if v, ok := os.LookupEnv(name); ok {
			env = append(env, name+"="+v)
		}
	}
	return env
}

// environmentNames returns the variables of a command's own flags.
func environmentNames(c *cli.Command) (names []string) {
	for _, f := range c.Flags {
		if d, ok := f.(cli.DocGenerationFlag); ok {
			names = append(names, d.GetEnvVars()...)
		}
	}
	return names
}

// needRoot refuses a command that only root can run.
func needRoot(command, why string) error {
	if os.Geteuid() == 0 {
		return nil
	}
	return fmt.Errorf("ccee %s must run as root (%s), not as uid %d: try sudo", command, why, os.Geteuid())
}
