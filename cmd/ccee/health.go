// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"

	"github.com/urfave/cli/v3"
)

func healthCommand() *cli.Command {
	return &cli.Command{
		Name:  "health",
		Usage: "ask a part on this machine whether it is alive, for health checks of containers",
		Description: `Exit code 0: it answered that it is. It needs no key, and asks nobody else.

   ccee health                                           # the REST API on API_PORT
   ccee health --socket /run/ccee/daemon.sock            # a daemon
   ccee health --url http://127.0.0.1:9090/metrics       # a worker with WORKER_METRICS_LISTEN=127.0.0.1:9090`,
		Flags: []cli.Flag{
			apiPortFlag(),
			&cli.StringFlag{Name: "url", Usage: "`URL` that answers 200 (default: http://127.0.0.1:API_PORT/health)"},
			&cli.StringFlag{Name: "socket", Usage: "`PATH` of a daemon's unix socket, instead"},
			&cli.DurationFlag{Name: "timeout", Value: 4 * time.Second, Usage: "how long the answer may take"},
		},
		Action: noArgs(runHealth),
	}
}

func runHealth(ctx context.Context, cmd *cli.Command) error {
	url, socket := cmd.String("url"), cmd.String("socket")
	transport := &http.Transport{}
	switch {
	case url != "" && socket != "":
		return usageError{errors.New("give --url or --socket, not both")}
	case socket != "":
		url = "http://daemon/health"
		transport.DialContext = func(ctx context.Context, _, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, "unix", socket)
		}
	case url == "":
		url = fmt.Sprintf("http://127.0.0.1:%d/health", cmd.Int64("port"))
	}
	ctx, cancel := context.WithTimeout(ctx, cmd.Duration("timeout"))
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return usageError{err}
	}
	resp, err := (&http.Client{Transport: transport}).Do(req)
	if err != nil {
		return fmt.Errorf("not alive: %w", err)
	}
	defer resp.Body.Close()
	_, _ = io.Copy(io.Discard, io.LimitReader(resp.Body, 1<<20))
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("not alive: %s answered HTTP %d", url, resp.StatusCode)
	}
	return nil
}
