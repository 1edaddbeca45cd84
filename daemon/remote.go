// SPDX-License-Identifier: Apache-2.0

package daemon

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"os"
	"slices"
	"sync"
	"syscall"
	"time"

	"github.com/rs/zerolog"
	"golang.org/x/sys/unix"

	"github.com/ccee-dev/ccee/cert"
)

// Remote configures the listener for callers on other machines: mutual TLS 1.3, see package cert. There is none without the verification of
// clients: all three are needed.
type Remote struct {
	Address      string      // HOST:PORT; "": there is no such listener
	Certificates *cert.Store // of the role cert.Daemon
	Allow        []cert.Name // callers whose certificates have one of these names
}

// Bounds of the listener. Behind it are callers who have not shown a certificate yet.
const (
	handshakeWait  = 5 * time.Second
	maxHandshakes  = 256  // at once; one more ends the oldest of them, which a caller that is well has long finished
	maxConnections = 4096 // whose caller is known: as many as a worker can have jobs

	// vanishedAfter is how long a caller may be unreachable before its connection is closed, and its jobs killed.
	vanishedAfter = 20 * time.Second
)

// keepAlive notices callers that vanish while nothing is sent to them, as TCP_USER_TIMEOUT (tcp(7)) does while something is.
var keepAlive = net.KeepAliveConfig{Enable: true, Idle: vanishedAfter / 4, Interval: vanishedAfter / 4, Count: 3}

// remote is the net.Listener of a Remote. Its connections have shaken hands.
type remote struct {
	tcp     net.Listener
	config  *tls.Config
	allow   []cert.Name
	certs   *cert.Store
	metrics *metrics
	log     refusals
	ready   chan net.Conn
	closed  chan struct{}
	close   func() error
	tasks   sync.WaitGroup // accept and the handshakes

	mu      sync.Mutex // guards all below
	pending []net.Conn // which shake hands, the oldest first
	open    int        // connections with a known caller
}

// listenRemote opens the listener, unless there is to be none.
func (s *Server) listenRemote(o Remote) error {
	if o.Address == "" {
		return nil
	}
	r, err := newRemote(o, s.metrics, s.log)
	if err != nil {
		return err
	}
	s.remote = r
	s.closers = append(s.closers, r.Close)
	s.metrics.watchRemote(r)
	return nil
}

func newRemote(o Remote, m *metrics, log zerolog.Logger) (*remote, error) {
	if o.Certificates == nil {
		return nil, errors.New("a listener for other machines needs a certificate, its key, and the authorities of its clients")
	}
	config, err := o.Certificates.ServerConfig(o.Allow)
	if err != nil {
		return nil, err
	}
	listening := net.ListenConfig{KeepAliveConfig: keepAlive, Control: setUserTimeout}
	l, err := listening.Listen(context.Background(), "tcp", o.Address)
	if err != nil {
		return nil, fmt.Errorf("listen for other machines: %w", err)
	}
	r := &remote{
		tcp: l, config: config, allow: slices.Clone(o.Allow), certs: o.Certificates, metrics: m, log: refusals{log: log},
		ready: make(chan net.Conn), closed: make(chan struct{}),
	}
	r.close = sync.OnceValue(r.stop)
	r.tasks.Go(r.acceptAll)
	return r, nil
}

// setUserTimeout is inherited by accepted connections.
func setUserTimeout(_, _ string, c syscall.RawConn) error {
	var err error
	if e := c.Control(func(fd uintptr) {
		err = unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT, int(vanishedAfter.Milliseconds()))
	}); e != nil {
		return e
	}
	return os.NewSyscallError("setsockopt TCP_USER_TIMEOUT", err)
}

// Accept returns the next connection whose caller is known.
func (r *remote) Accept() (net.Conn, error) {
	select {
	case c := <-r.ready:
		return c, nil
	case <-r.closed:
		return nil, net.ErrClosed
	}
}

// Addr returns the address on which it listens.
func (r *remote) Addr() net.Addr { return r.tcp.Addr() }

// Close stops accepting and ends the handshakes. Connections that Accept has returned stay.
func (r *remote) Close() error { return r.close() }

func (r *remote) stop() error {
	err := r.tcp.Close()
	close(r.closed)
	r.mu.Lock()
	for _, c := range r.pending {
		c.Close()
	}
	r.mu.Unlock()
	r.tasks.Wait()
	return err
}

// acceptAll starts a handshake on each connection.
func (r *remote) acceptAll() {
	for {
		c, err := r.tcp.Accept()
		switch {
		case err == nil:
			r.begin(c)
			r.tasks.Go(func() { r.shakeHands(c) })
		case errors.Is(err, net.ErrClosed):
			return
		default: // too many open files, or a connection that ended in the backlog
			r.log.note(err, "", "accept")
			select {
			case <-r.closed:
				return
			case <-time.After(100 * time.Millisecond):
			}
		}
	}
}

// begin notes a handshake, and ends the oldest one where there are too many.
func (r *remote) begin(c net.Conn) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.pending) == maxHandshakes {
		r.pending[0].Close()
		r.pending = r.pending[1:]
	}
	r.pending = append(r.pending, c)
}

// end forgets a handshake; ended reports whether begin has ended it. One that is done becomes an open connection, if there is room.
func (r *remote) end(c net.Conn, done bool) (ended, full bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	i := slices.Index(r.pending, c)
	if i < 0 {
		return true, false
	}
	r.pending = slices.Delete(r.pending, i, i+1)
	if full = r.open == maxConnections; done && !full {
		r.open++
	}
	return false, full
}

// shakeHands hands the connection to Accept, or closes it and counts why.
func (r *remote) shakeHands(c net.Conn) {
	ctx, cancel := context.WithTimeout(context.Background(), handshakeWait)
	defer cancel()
	known := &countedConn{Conn: c, closed: sync.OnceFunc(r.closedOne)}
	conn := tls.Server(known, r.config)
	err := conn.HandshakeContext(ctx)
	ended, full := r.end(c, err == nil)
	if err != nil || ended || full {
		c.Close()
		r.refuse(c, err, ended || full)
		return
	}
	known.open = true
	name, _ := cert.Match(conn.ConnectionState().PeerCertificates[0], r.allow)
	r.log.log.Info().Str("peer", c.RemoteAddr().String()).Str("name", string(name)).Msg("connection accepted")
	select {
	case r.ready <- conn:
	case <-r.closed:
		conn.Close()
	}
}

func (r *remote) closedOne() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.open--
}

// connections is how many connections with a known caller are open.
func (r *remote) connections() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.open
}

// countedConn reports when an open connection is closed.
type countedConn struct {
	net.Conn
	open   bool // set before anybody else has it
	closed func()
}

func (c *countedConn) Close() error {
	if c.open {
		c.closed()
	}
	return c.Conn.Close()
}

// refuse counts and logs a connection that was closed.
func (r *remote) refuse(c net.Conn, err error, crowded bool) {
	reason := reasonOf(err)
	if crowded {
		reason, err = "crowded", errors.New("there are too many connections")
	}
	select {
	case <-r.closed: // by us
		return
	default:
	}
	r.metrics.connectionsRefused.WithLabelValues(reason).Inc()
	r.log.note(err, c.RemoteAddr().String(), reason)
}

// reasonOf is the metric's word for a handshake's error.
func reasonOf(err error) string {
	var invalid x509.CertificateInvalidError
	switch {
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, os.ErrDeadlineExceeded):
		return "slow"
	case errors.As(err, new(tls.RecordHeaderError)):
		return "no_tls"
	case errors.Is(err, cert.ErrNotAllowed):
		return "not_allowed"
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		return "expired"
	case errors.As(err, new(x509.UnknownAuthorityError)):
		return "unknown_authority"
	case errors.As(err, new(*tls.CertificateVerificationError)):
		return "bad_certificate"
	}
	return "handshake" // no certificate, an older TLS, a caller that does not trust us, or one that closed the connection
}
