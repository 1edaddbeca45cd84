// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"os"
	"sync"

	"github.com/ccee-dev/ccee/archive"
	"github.com/ccee-dev/ccee/queue"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"
)

const archiveURL = "ARCHIVE_DATABASE_URL"

// archiveHelp explains ARCHIVE_DATABASE_URL, which has no flag.
const archiveHelp = archiveURL + ` is a PostgreSQL, postgres://USER:PASSWORD@HOST:PORT/DATABASE, that keeps finished jobs, costs and the
audit for longer than Redis. Without it there is no archive. Like REDIS_URL it has no flag.`

// openArchive opens the archive of ARCHIVE_DATABASE_URL; nil where there is none. It does not connect.
func openArchive() (*archive.Archive, error) {
	url := os.Getenv(archiveURL)
	if url == "" {
		return nil, nil
	}
	a, err := archive.Open(url)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", archiveURL, err)
	}
	return a, nil
}

// keepArchive copies finished jobs into a until stop is called.
func keepArchive(ctx context.Context, a *archive.Archive, q *queue.Queue, log zerolog.Logger, metrics prometheus.Registerer) (stop func(), err error) {
	c, err := archive.NewCopier(a, q, log, metrics)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(ctx)
	var running sync.WaitGroup
	running.Go(func() { c.Run(ctx) })
	return func() { cancel(); running.Wait() }, nil
}
