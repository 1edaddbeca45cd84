// SPDX-License-Identifier: Apache-2.0

package daemon

import (
	"context"
	"errors"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/prometheus/common/version"
)

// Serve answers requests until ctx ends, then drains: waiting and new jobs are refused, running ones may finish until
// Options.Drain is over, and the others are killed then. It returns nil after an orderly end and may be called once.
func (s *Server) Serve(ctx context.Context) error {
	checking, stopChecking := context.WithCancel(ctx)
	defer stopChecking()
	var checks sync.WaitGroup
	checks.Go(func() { s.keepChecking(checking) })
	ends := s.ends()
	served := make(chan error, len(ends))
	for _, e := range ends {
		go func() { served <- e.http.Serve(e.listener) }()
	}
	s.log.Info().Str("version", version.Version).Str("socket", s.socket.listener.Addr().String()).Int("slots", s.slots.Budget().Slots).
		Int64("memoryBytes", s.slots.Budget().Memory).Int64("cpuMillicores", s.slots.Budget().Millicores).Msg("serving")

	var err error
	left := len(ends) // listeners that still serve
	select {
	case err = <-served: // it broke
		left--
		s.finish(0)
	case <-s.once.done():
		s.finish(s.drain)
	case <-ctx.Done():
		s.finish(s.drain)
	}
	shutdown(ends)
	for range left {
		<-served
	}
	stopChecking()
	checks.Wait()
	return errors.Join(err, s.Close())
}

// end is a listener with the server of its connections.
type end struct {
	listener net.Listener
	http     *http.Server
}

// ends are the unix socket and, if there is one, the listener for other machines. Both have the same routes.
func (s *Server) ends() []end {
	routes := s.routes()
	all := []end{{s.socket.listener, &http.Server{
		Handler:           s.guard(routes),
		ConnContext:       withPeer,
		ReadHeaderTimeout: bodyWait,
		IdleTimeout:       5 * time.Minute,
		MaxHeaderBytes:    64 << 10,
	}}}
	if s.remote != nil {
		s.log.Info().Str("address", s.remote.Addr().String()).Interface("allowed", s.remote.allow).Msg("serving other machines")
		all = append(all, end{s.remote, &http.Server{
			Handler:           s.guardRemote(routes),
			ReadHeaderTimeout: 10 * time.Second,
			IdleTimeout:       5 * time.Minute, // more than the client's
			MaxHeaderBytes:    16 << 10,
		}})
	}
	return all
}

// shutdown closes the listeners and their connections. Every job is answered, but the last bytes of an answer may still have to be written.
func shutdown(ends []end) {
	last, cancel := context.WithTimeout(context.Background(), writeWait)
	defer cancel()
	var closing sync.WaitGroup
	for _, e := range ends {
		closing.Go(func() {
			if e.http.Shutdown(last) != nil {
				e.http.Close()
			}
		})
	}
	closing.Wait()
}

// finish ends the jobs: waiting ones at once, running ones when they are done or the time is over.
func (s *Server) finish(within time.Duration) {
	idle := s.jobs.drain()
	s.slots.Close(errDraining())
	running, _, _ := s.slots.InUse()
	s.log.Info().Int("jobs", running).Dur("within", within).Msg("draining")
	timer := time.NewTimer(within)
	defer timer.Stop()
	select {
	case <-idle:
	case <-timer.C:
		s.log.Warn().Msg("the time for draining is over: killing the jobs that still run")
		s.jobs.shutdown()
		<-idle
	}
}
