// SPDX-License-Identifier: Apache-2.0

package daemon

import (
	"context"
	"net/http"
	"time"

	"github.com/rs/zerolog"

	"github.com/ccee-dev/ccee/cert"
	"github.com/ccee-dev/ccee/job"
)

// caller is who makes a request, for the log: a peer of the unix socket, or a named one on another machine.
type caller struct {
	peer peer

	name    cert.Name
	address string
}

// MarshalZerologObject implements zerolog.LogObjectMarshaler.
func (c caller) MarshalZerologObject(e *zerolog.Event) {
	if c.name != "" {
		e.Str("peer", c.address).Str("name", string(c.name))
		return
	}
	e.Int32("peerPid", c.peer.pid).Uint32("peerUid", c.peer.uid)
}

type callerKey struct{}

func withCaller(r *http.Request, c caller) *http.Request {
	return r.WithContext(context.WithValue(r.Context(), callerKey{}, c))
}

func callerOf(r *http.Request) caller {
	c, _ := r.Context().Value(callerKey{}).(caller)
	return c
}

// guard refuses peers that may not use the socket.
func (s *Server) guard(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p := peerFrom(r.Context())
		if !p.mayUse(s.gid) {
			s.log.Warn().Err(p.err).Int32("pid", p.pid).Uint32("uid", p.uid).Uint32("gid", p.gid).Msg("peer refused")
			writeError(w, job.Errorf(job.EForbidden, "uid %d may not use this socket: join its group, %d", p.uid, s.gid))
			return
		}
		next.ServeHTTP(w, withCaller(r, caller{peer: p}))
	})
}

// closeBefore is how long before the end of a caller's certificate its connections are closed, each after a request: the next one has to
// show a newer certificate.
const closeBefore = time.Minute

// guardRemote refuses requests on connections from other machines whose caller is not, or no longer, allowed. The handshake has seen to
// that; here it is asked again, as a connection may outlive the certificate that it began with.
func (s *Server) guardRemote(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.TLS == nil || len(r.TLS.VerifiedChains) == 0 {
			writeError(w, job.Errorf(job.EForbidden, "the connection has no verified certificate"))
			return
		}
		leaf := r.TLS.VerifiedChains[0][0]
		name, ok := cert.Match(leaf, s.remote.allow)
		left := time.Until(leaf.NotAfter)
		switch {
		case !ok:
			writeError(w, job.Errorf(job.EForbidden, "no name in the certificate is allowed here"))
			return
		case left <= 0: // unavailable: a new connection, with a newer certificate, will do
			s.metrics.connectionsRefused.WithLabelValues("expired").Inc()
			writeError(w, job.Errorf(job.EUnavailable, "the certificate of this connection has expired: connect again"))
			return
		case left < closeBefore:
			w.Header().Set("Connection", "close")
		}
		next.ServeHTTP(w, withCaller(r, caller{name: name, address: r.RemoteAddr}))
	})
}
