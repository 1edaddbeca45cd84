// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/urfave/cli/v3"
)

func healthCommand() *cli.Command {
	return &cli.Command{
		Name:      "health",
		Usage:     "ask a process of this host whether it answers: for health checks of containers",
		ArgsUsage: "api|worker|daemon",
		Description: `Exit code 0: it answers. It reads the settings of the process that it asks about: both can have the same environment.

   ccee health api        # GET /health on the port of --listen
   ccee health worker     # GET /metrics on --metrics-listen, which must be set
   ccee health daemon     # GET /health on --socket`,
		Flags: []cli.Flag{
			listenFlag(), apiPortFlag(), socketFlag(),
			stringFlag("metrics-listen", "WORKER_METRICS_LISTEN", "", "`HOST:PORT` of the worker's metrics"),
			&cli.DurationFlag{Name: "timeout", Value: 4 * time.Second, Usage: "wait so long for the answer, such as 500ms"},
		},
		Action: health,
	}
}

func health(ctx context.Context, cmd *cli.Command) error {
	if cmd.Args().Len() != 1 {
		return usageError{errors.New("name one of api, worker, daemon")}
	}
	network, addr, path := "tcp", "", "/health"
	switch part := cmd.Args().First(); part {
	case "api":
		listen, err := listenAddress(cmd)
		if err != nil {
			return err
		}
		addr = listen
	case "worker":
		if addr, path = cmd.String("metrics-listen"), "/metrics"; addr == "" {
			return usageError{errors.New("a worker answers only with --metrics-listen (WORKER_METRICS_LISTEN)")}
		}
	case "daemon":
		network, addr = "unix", cmd.String("socket")
	default:
		return usageError{fmt.Errorf("there is no part %q: name api, worker or daemon", part)}
	}
	ctx, cancel := context.WithTimeout(ctx, cmd.Duration("timeout"))
	defer cancel()
	return answers(ctx, network, addr, path)
}

// answers returns an error unless GET path on addr is answered with 200. An address that listens everywhere, such as 0.0.0.0, is this
// host when it is dialled.
func answers(ctx context.Context, network, addr, path string) error {
	transport := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, network, addr)
	}}
	defer transport.CloseIdleConnections()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://ccee"+path, nil)
	if err != nil {
		return err
	}
	resp, err := transport.RoundTrip(req) // follows no redirect
	if err != nil {
		return fmt.Errorf("%s %s: %w", network, addr, err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%s %s: GET %s: %s", network, addr, path, resp.Status)
	}
	return nil
}
