// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/ccee-dev/ccee/daemon"
	"github.com/ccee-dev/ccee/doctor"
	"github.com/ccee-dev/ccee/job"
	"github.com/ccee-dev/ccee/policy"
	"github.com/ccee-dev/ccee/rootfs"
	"github.com/ccee-dev/ccee/supervise"

	"github.com/urfave/cli/v3"
)

func daemonCommand() *cli.Command {
	return &cli.Command{
		Name:  "daemon",
		Usage: "run programs in jails for clients of a unix socket, or of other machines; as root",
		Description: `The one privileged part. Its protocol is in daemon/PROTOCOL.md:

   sudo ccee daemon
   curl -s --unix-socket /run/ccee/daemon.sock http://ccee/v1/run -d '{"id":"1","language":"python","sourceCode":"print(6*7)"}'

Only root and the group ccee can use the socket. With --listen workers on other machines can use it too, by mutual TLS: ccee cert --help
shows how. SIGTERM: new jobs are refused, running ones finish within --drain-ms, what is left is killed.`,
		Flags: append(append(tracingFlags("ccee-daemon"), networkListenFlags()...),
			socketFlag(), imagesFlag(), cgroupFlag(), logLevelFlag(),
			seccompFlag(), networkFlag(), tierFlag(),
			oneJobFlag(),
			stringFlag("pull", "CCEE_PULL", "",
				"language images to pull before anything else, `LIST` with commas: see ccee image pull (default: none)"),
			stringFlag("seccomp-kept", "CCEE_SECCOMP_KEPT", "", "`FILE` for a copy of the last policy that worked, used when that of --seccomp does not work any more (default: none; ccee up has one)"),
			intFlag("ready", "CCEE_READY", 8, 0, 1024, "prewarmed sandboxes, each for one job, for the kinds of jobs of the last minute"),
			&cli.BoolFlag{Name: "warm", Sources: cli.EnvVars("CCEE_WARM"), Value: true, Usage: "start the language's runtime in prewarmed sandboxes, where it waits for its program and takes memory; --warm=false: don't (default: true)"},
			intFlag("slots", "CCEE_SLOTS", 0, 0, 4096, "jobs at once, 0 for 16 a core"),
			intFlag("tenant-share", "CCEE_TENANT_SHARE", 75, 1, 100, "max `PERCENT` of slots, memory, CPU rates and processes, of what the other tenants leave, that one tenant's jobs may reserve"),
			intFlag("memory-mb", "CCEE_MEMORY_MB", 0, 0, 1<<24, "MiB for all jobs together, 0 for 80 % of the machine's"),
			intFlag("millicores", "CCEE_MILLICORES", 0, 0, 1<<24, "sum of all jobs' CPU rates, 0 for four times the cores"),
			intFlag("pids", "CCEE_PIDS", 0, 0, 1<<22, "processes and threads of all jobs together, 0 for half of what the machine can have"),
			intFlag("cpu-weight", "CCEE_CPU_WEIGHT", 0, 0, 10_000, "CPU weight of all jobs together, where another process or cgroup has 100; 0 for 100 a core, up to 1000"),
			intFlag("disk-read-mb", "CCEE_DISK_READ_MB", 0, 0, 1<<20, "MiB a second that all jobs together read from disks, and one job half of it; 0 for 512"),
			intFlag("disk-read-iops", "CCEE_DISK_READ_IOPS", 0, 0, 1<<24, "read operations a second of all jobs together, and one job half of it; 0 for 2048"),
			intFlag("queue", "CCEE_QUEUE", 256, 1, 100_000, "jobs that may wait for a slot"),
			intFlag("queue-wait-ms", "CCEE_QUEUE_WAIT_MS", 10_000, 1, 600_000, "milliseconds that a job may wait"),
			drainFlag(), allowDegradedFlag(),
		),
		Action: noArgs(runDaemon),
	}
}

func cgroupFlag() cli.Flag {
	return stringFlag("cgroup", "CCEE_CGROUP", "ccee", "`NAME` of the parent cgroup of all jails; each daemon needs its own")
}

func seccompFlag() cli.Flag {
	return stringFlag("seccomp", "CCEE_SECCOMP", "", "`FILE` with a system call policy (OCI JSON) instead of the built-in one")
}

func networkFlag() cli.Flag {
	return &cli.StringFlag{
		Name: "network", Sources: cli.EnvVars("CCEE_NETWORK"), Value: job.NetworkLoopback, Validator: checkNetwork,
		Usage: "network of jobs that don't choose one, `WORD`: loopback (TCP and UDP on 127.0.0.1 and ::1 of the job's own) or none",
	}
}

// checkNetwork refuses a network that no job can have.
func checkNetwork(word string) error {
	if word != job.NetworkNone && word != job.NetworkLoopback {
		return fmt.Errorf("%q: it must be %s or %s", word, job.NetworkLoopback, job.NetworkNone)
	}
	return nil
}

func drainFlag() cli.Flag {
	return intFlag("drain-ms", "CCEE_DRAIN_MS", 10_000, 0, 600_000, "milliseconds for running jobs to finish after SIGTERM; 0: none")
}

func allowDegradedFlag() cli.Flag {
	return &cli.BoolFlag{
		Name: "allow-degraded", Sources: cli.EnvVars("CCEE_ALLOW_DEGRADED"),
		Usage: "serve even if the self-test at the start finds a control that does not hold; each result then has the tier jail-degraded",
	}
}

func runDaemon(ctx context.Context, cmd *cli.Command) error {
	if err := needRoot("daemon", "it builds jails"); err != nil {
		return err
	}
	if cmd.String("tier") == daemon.TierTask {
		return runTaskDaemon(ctx, cmd)
	}
	log := newLogger("daemon", cmd.String("log-level"))
	remote, err := remoteListener(cmd, log)
	if err != nil {
		return err
	}
	store, err := openImages(ctx, cmd)
	if err != nil {
		return err
	}
	defer store.Close()
	tracing, stop, err := newTracing(ctx, cmd)
	if err != nil {
		return err
	}
	defer stop()
	if err := supervise.ProtectDaemon(); err != nil {
		log.Warn().Err(err).Msg("the kernel may kill the daemon for memory, and all jobs with it")
	}
	srv, err := policy.NewDaemon(ctx, daemon.Options{
		Trace: tracing, Remote: remote,
		Socket: cmd.String("socket"), GID: supervise.Unprivileged().GID, Store: store, Network: cmd.String("network"),
		Cgroup: cmd.String("cgroup"), Log: log,
		Slots: int(cmd.Int64("slots")), Ready: int(cmd.Int64("ready")), Warm: cmd.Bool("warm"), MemoryBytes: cmd.Int64("memory-mb") * job.MiB, CPUMillicores: cmd.Int64("millicores"),
		Pids: cmd.Int64("pids"), CPUWeight: cmd.Int64("cpu-weight"), DiskBytes: cmd.Int64("disk-read-mb") * job.MiB, DiskOperations: cmd.Int64("disk-read-iops"),
		TenantShare: int(cmd.Int64("tenant-share")), Queue: int(cmd.Int64("queue")), QueueWait: milliseconds(cmd, "queue-wait-ms"), Drain: drainTime(cmd),
		AllowDegraded: cmd.Bool("allow-degraded"),
	}, cmd.String("seccomp"), cmd.String("seccomp-kept"))
	if err != nil {
		return err
	}
	return srv.Serve(ctx)
}

// openImages opens the store of --images, after the images of --pull were added to it.
func openImages(ctx context.Context, cmd *cli.Command) (*rootfs.Store, error) {
	sources := splitList(cmd.String("pull"))
	if len(sources) == 0 {
		// Before the store is opened, which would make an empty one.
		if err := doctor.CheckImages(cmd.String("images")); err != nil {
			return nil, err
		}
	}
	store, err := rootfs.Open(cmd.String("images"))
	if err != nil || len(sources) == 0 {
		return store, err
	}
	if err := pullImages(ctx, cmd, store, sources, false); err != nil {
		return nil, errors.Join(err, store.Close())
	}
	return store, nil
}

// drainTime returns --drain-ms. Package daemon takes 0 for its own default, so 0 is the shortest time there is.
func drainTime(cmd *cli.Command) time.Duration {
	return max(milliseconds(cmd, "drain-ms"), time.Nanosecond)
}

func milliseconds(cmd *cli.Command, flag string) time.Duration {
	return time.Duration(cmd.Int64(flag)) * time.Millisecond
}
