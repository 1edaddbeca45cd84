// SPDX-License-Identifier: Apache-2.0

package api

import (
	"context"
	"errors"
	"fmt"
	stdlog "log"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/prometheus/common/version"

	"github.com/ccee-dev/ccee/submit"
)

// The bounds of one connection. A slow client holds a goroutine and a socket, nothing else, and not for long.
const (
	headerTimeout = 5 * time.Second
	readTimeout   = 20 * time.Second // header and body
	// From the end of the header to the end of the answer: the longest wait for a job, and time to send the body both ways.
	writeTimeout = submit.MaxWait + 30*time.Second
	idleTimeout  = 75 * time.Second
	maxHeader    = 32 << 10 // bytes
	drainTimeout = 10 * time.Second
)

// Serve answers requests on l until ctx is done. Then it takes no more, lets requests that wait for a job answer with the
// job as it is, and returns when the last answer is out, or after ten seconds. A clean end is nil.
func (s *Server) Serve(ctx context.Context, l net.Listener) error {
	srv := &http.Server{
		Handler:           s,
		ReadHeaderTimeout: headerTimeout,
		ReadTimeout:       readTimeout,
		WriteTimeout:      writeTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeader,
		ConnContext:       withConn,
		ConnState:         connState,
		ErrorLog:          stdlog.New(s.opts.Log.With().Str("component", "http").Logger(), "", 0),
	}
	srv.RegisterOnShutdown(s.drain)
	s.opts.Log.Info().Str("version", version.Version).Str("address", l.Addr().String()).Msg("serving")
	working, stop := context.WithCancel(context.WithoutCancel(ctx))
	var background sync.WaitGroup
	background.Go(func() { s.deliver(working) })
	background.Go(func() { s.sweep(working) })
	background.Go(func() { s.warnOfRedis(working) })
	defer background.Wait()
	defer stop()
	failed := make(chan error, 1)
	go func() { failed <- srv.Serve(listener{l, s}) }()
	select {
	case err := <-failed:
		return fmt.Errorf("serve %s: %w", l.Addr(), err)
	case <-ctx.Done():
	}
	bounded, cancel := context.WithTimeout(context.WithoutCancel(ctx), drainTimeout)
	defer cancel()
	err := srv.Shutdown(bounded)
	if errors.Is(err, context.DeadlineExceeded) {
		err = errors.Join(fmt.Errorf("serve %s: requests were cut off after %s", l.Addr(), drainTimeout), srv.Close())
	}
	<-failed // http.ErrServerClosed
	return err
}
