// SPDX-License-Identifier: Apache-2.0

package api

import (
	"context"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// The bounds of connections.
const (
	maxConns = 20_000 // open at once, of clients that come directly; fewer where the process may not have so many files

	// A client that is refused before it has sent its request whole may read the answer only then.
	maxLingering  = 256 // connections at once whose unsent rest is read; others are closed, and may lose their answer
	lingerBytes   = 16 << 20
	lingerLongest = 30 * time.Second
)

// connsRoom leaves a quarter of the files that the process may open for Redis, webhooks and the rest.
func connsRoom() int64 {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return maxConns
	}
	return min(maxConns, int64(limit.Cur/4*3))
}

// listener accepts a bounded number of connections. One address may have a part of them (budget), so that nobody can lock the others out.
// Trusted proxies, and clients on unix sockets, are not counted: they speak for many.
type listener struct {
	net.Listener
	s *Server
}

func (l listener) Accept() (net.Conn, error) {
	for {
		c, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		cn := &conn{jsonConn: jsonConn{Conn: c, log: &l.s.opts.Log}, s: l.s}
		if ap, err := netip.ParseAddrPort(c.RemoteAddr().String()); err == nil && !l.s.trusts(ap.Addr().Unmap()) {
			cn.who, cn.counted = site(ap.Addr().Unmap()).String(), true
		}
		if !cn.counted || l.s.conns.try(cn.who, 1) {
			return cn, nil
		}
		l.s.metrics.connsRefused.Inc()
		_ = c.Close()
	}
}

// conn is one connection.
type conn struct {
	jsonConn
	s       *Server
	who     string // the address that it counts for
	counted bool
	once    sync.Once // gives its place back

	answered atomic.Bool // something was written since the last request began
	unread   atomic.Bool // a part of a request was read whose end was not
	closing  atomic.Bool
}

func (c *conn) Read(p []byte) (int, error) {
	n, err := c.jsonConn.Read(p)
	if n > 0 {
		c.unread.Store(true)
	}
	return n, err
}

func (c *conn) Write(p []byte) (int, error) {
	c.answered.Store(true)
	return c.jsonConn.Write(p)
}

// Close closes the connection once the client has sent the rest of its request, and so can have read its answer: the kernel drops an
// answer, with a reset, when a connection is closed that has unread data. A second Close does not wait.
func (c *conn) Close() error {
	if c.closing.CompareAndSwap(false, true) && c.answered.Load() && c.unread.Load() && c.s.lingering.try(c.who, 1) {
		c.linger()
		c.s.lingering.give(c.who, 1)
	}
	c.once.Do(func() {
		if c.counted {
			c.s.conns.give(c.who, 1)
		}
	})
	return c.jsonConn.Close()
}

// linger ends our side and reads the rest of the client's, at the minimum pace and within bounds, until the client closes too.
func (c *conn) linger() {
	if c.CloseWrite() != nil {
		return
	}
	from, buf := time.Now(), make([]byte, 32<<10)
	for n := int64(0); n < lingerBytes; {
		if c.Conn.SetReadDeadline(paceDeadline(from, n, lingerLongest)) != nil {
			return
		}
		m, err := c.Conn.Read(buf)
		if n += int64(m); err != nil {
			return
		}
	}
}

// connKey is the key of a request's connection in its context.
type connKey struct{}

func withConn(ctx context.Context, c net.Conn) context.Context {
	return context.WithValue(ctx, connKey{}, c)
}

// connState notes that a request was read to its end: only then does a connection become idle.
func connState(c net.Conn, state http.ConnState) {
	if cn, ok := c.(*conn); ok && state == http.StateIdle {
		cn.unread.Store(false)
	}
}

// connection returns the request's connection; nil in tests without one.
func (c *call) connection() *conn {
	cn, _ := c.r.Context().Value(connKey{}).(*conn)
	return cn
}

// noteRead notes on the connection that nothing of the request is unread. A client that waits for 100 Continue (RFC 9110, section 10.1.1)
// and got none sends no body.
func (c *call) noteRead() {
	cn := c.connection()
	if cn == nil {
		return
	}
	if c.consumed || c.r.ContentLength == 0 || !c.reading && c.r.Header.Get("Expect") != "" {
		cn.unread.Store(false)
	}
}
