package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"

	"github.com/urfave/cli/v3"
)

func upCommand() *cli.Command {
	return &cli.Command{
		Name:  "up",
		Usage: "start everything on this machine: redis-server, daemon, worker and api",
		Description: `Starts the parts as child processes: the daemon as root, the rest as the user ccee (or the id 61523), and a
redis-server with an append-only file below --data unless REDIS_URL names one. Prints one line

   ready http://HOST:PORT

on stdout when a job can run; logs go to stderr. A part that dies is started again. A redis, or an api, that keeps dying takes all
down with its reason; while a daemon or a worker does, jobs are accepted and wait, and GET /ready says so. SIGTERM or Ctrl-C stops all: api, worker, daemon, redis.

   ccee up --dev                                        # key dev-local-key, loopback only
   TENANT_API_KEYS_JSON='{"KEY":{"tenantId":"acme"}}' ccee up --listen 0.0.0.0:8080

Every environment variable of ccee daemon, worker and api is handed on to that part, and to no other. The worker has as
many jobs at once as the daemon has slots unless WORKER_CONCURRENCY says otherwise.`,
		Flags: []cli.Flag{
			devFlag(), listenFlag(), apiPortFlag(), socketFlag(), imagesFlag(), cgroupFlag(), logLevelFlag(),
			intFlag("redis-memory-mb", "CCEE_REDIS_MEMORY_MB", 0, 0, 1<<24, "MiB for the Redis that it starts, 0 for 25 % of the machine's"),
			stringFlag("data", "CCEE_DATA", defaultData, "`DIR` for Redis's files"),
		},
		Action: noArgs(up),
	}
}

func up(ctx context.Context, cmd *cli.Command) error {
	u, err := planUp(ctx, cmd)
	if err != nil {
		return err
	}
	defer u.close()
	u.favourServices()
	s := newStack(newLogger("up", cmd.String("log-level")))
	defer s.stop()
	for _, c := range u.children() {
		if err := s.start(ctx, c); err != nil {
			if ctx.Err() != nil {
				return nil // asked to stop while starting
			}
			return err
		}
	}
	if _, err := fmt.Fprintf(cmd.Root().Writer, "ready http://%s\n", u.listener.Addr()); err != nil {
		return fmt.Errorf("print the ready line: %w", err)
	}
	return s.wait(ctx)
}

// planUp checks all that can be checked before anything is started, so that the error comes alone and not out of a log.
func planUp(ctx context.Context, cmd *cli.Command) (*plan, error) {
	if err := needRoot("up", "the daemon builds jails"); err != nil {
		return nil, err
	}
	if err := checkKeys(cmd.Bool("dev")); err != nil {
		return nil, err
	}
	addr, err := listenAddress(cmd)
	if err != nil {
		return nil, err
	}
	u := &plan{cmd: cmd, id: unprivileged(), log: newLogger("up", cmd.String("log-level"))}
	for _, p := range []struct {
		to   *string
		flag string
	}{{&u.socket, "socket"}, {&u.images, "images"}, {&u.data, "data"}} {
		// The children run elsewhere: see openData.
		if *p.to, err = filepath.Abs(cmd.String(p.flag)); err != nil {
			return nil, fmt.Errorf("--%s: %w", p.flag, err)
		}
	}
	if err := errors.Join(checkImages(u.images), checkSocket(u.socket), checkRedis(ctx)); err != nil {
		return nil, err
	}
	l, err := listenTCP(addr)
	if err != nil {
		return nil, err
	}
	u.listener = l.(*net.TCPListener)
	for _, step := range []func() error{u.planLanguages, u.planPolicy, u.openData, u.openKept} {
		if err := step(); err != nil {
			u.close()
			return nil, err
		}
	}
	return u, nil
}

// needRoot reports that a command can't work as the user it was started by.
func needRoot(command, why string) error {
	if os.Geteuid() == 0 {
		return nil
	}
	return fmt.Errorf("ccee %s must run as root (%s), not as uid %d: try sudo", command, why, os.Geteuid())
}
