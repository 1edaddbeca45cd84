// SPDX-License-Identifier: Apache-2.0

package main

import (
	"cmp"
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"strconv"
	"strings"
	"sync"

	"github.com/ccee-dev/ccee/cert"
	"github.com/ccee-dev/ccee/cloud/ecs"
	"github.com/ccee-dev/ccee/daemon/client"
	"github.com/ccee-dev/ccee/worker"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"
	"github.com/urfave/cli/v3"
)

// backendPool is the value of EXECUTION_BACKEND for daemons on several machines.
const backendPool = "pool"

// poolFlags are those of a worker with a pool.
func poolFlags() []cli.Flag {
	return append([]cli.Flag{
		stringFlag("daemons", "CCEE_DAEMONS", "",
			"daemons of the pool: `HOST:PORT,...`, srv:_SERVICE._tcp.DOMAIN (SRV records in DNS), or ecs:SERVICE:PORT (tasks of an ECS service)"),
		tlsNameFlag(),
	}, tlsFlags()...)
}

// newPool returns the backend of many daemons, which it finds and checks until stop is called.
func newPool(ctx context.Context, cmd *cli.Command, metrics prometheus.Registerer, log zerolog.Logger) (*worker.Pool, func(), error) {
	find, err := finder(ctx, cmd)
	if err != nil {
		return nil, nil, usageError{err}
	}
	certificates, err := openCertificates(cmd, cert.Worker, func(err error) {
		log.Error().Err(err).Msg("the certificate's files have changed and can't be used")
	})
	if err != nil {
		return nil, nil, err
	}
	pool, err := worker.NewPool(worker.PoolOptions{Find: find, Log: log, Metrics: metrics, Dial: func(address string) *client.Client {
		host, _, _ := net.SplitHostPort(address)
		server := cmp.Or(cmd.String("tls-name"), host)
		return client.NewTLS(address, func() *tls.Config { return certificates.ClientConfig(server) })
	}})
	if err != nil {
		return nil, nil, err
	}
	if metrics != nil {
		metrics.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "ccee_worker_certificate_expires_seconds",
			Help: "When the worker's certificate, or the last of the authorities of its daemons, ends, in seconds since 1970."},
			func() float64 { return float64(certificates.Expires().Unix()) }))
	}
	// It outlives ctx: while the worker drains, its daemons are watched.
	watched, cancel := context.WithCancel(context.WithoutCancel(ctx))
	var watching sync.WaitGroup
	watching.Go(func() { pool.Watch(watched) })
	return pool, func() { cancel(); watching.Wait() }, nil
}

// finder reads --daemons.
func finder(ctx context.Context, cmd *cli.Command) (worker.Finder, error) {
	daemons := cmd.String("daemons")
	kind, name, _ := strings.Cut(daemons, ":")
	switch {
	case daemons == "":
		return nil, fmt.Errorf("EXECUTION_BACKEND=%s needs --daemons: HOST:PORT,..., srv:NAME or ecs:SERVICE:PORT", backendPool)
	case kind == "srv" && strings.HasPrefix(name, "_"):
		return worker.SRV{Name: name, Resolver: net.DefaultResolver}, nil
	case kind == "ecs" && strings.Contains(name, ":"):
		service, text, _ := strings.Cut(name, ":")
		port, err := strconv.ParseUint(text, 10, 16)
		if err != nil || cmd.String("ecs-cluster") == "" {
			return nil, fmt.Errorf("--daemons %q: must be ecs:SERVICE:PORT, with the cluster in --ecs-cluster", daemons)
		}
		return ecs.LoadFinder(ctx, cmd.String("aws-region"), cmd.String("ecs-cluster"), service, uint16(port))
	}
	find, err := worker.ParseStatic(splitList(daemons))
	if err != nil {
		return nil, fmt.Errorf("--daemons: %w", err)
	}
	return find, nil
}
