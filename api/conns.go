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
	maxLingering  = 256 // connections at once whose rest is read; others are closed, and may lose their answer
	lingerBytes   = 16 << 20
	lingerLongest = 30 * time.Second
)

// connsRoom leaves a quarter of the files that the process may open for Redis, webhooks and what else there is.
func connsRoom() int64 {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return maxConns
	}
	return min(maxConns, int64(limit.Cur/4*3))
}

// listener gives out connections of a bounded number. One address may have a part of them (budget), so that nobody can lock the others out. Proxies
// of ours, and clients on unix sockets, are not counted: they speak for many.
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
	owed     atomic.Bool // a part of a request was read whose end was not
	closing  atomic.Bool
}

func (c *conn) Read(p []byte) (int, error) {
	n, err := c.jsonConn.Read(p)
	if n > 0 {
		c.owed.Store(true)
	}
	return n, err
}

func (c *conn) Write(p []byte) (int, error) {
	c.answered.Store(true)
	return c.jsonConn.Write(p)
}

// Close closes the connection, once the client has sent what it still sends and so can have read its answer: the kernel throws an answer away,
// with a reset, when a connection is closed on which something unread has come. A second Close does not wait.
func (c *conn) Close() error {
	if c.closing.CompareAndSwap(false, true) && c.answered.Load() && c.owed.Load() && c.s.lingering.try(c.who, 1) {
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

// linger says that there will be no more and reads what comes, at the least pace and within bounds, until the client closes too.
func (c *conn) linger() {
	if c.CloseWrite() != nil {
		return
	}
	from, buf := time.Now(), make([]byte, 32<<10)
	for n := int64(0); n < lingerBytes; {
		if c.Conn.SetReadDeadline(paceEnd(from, n, lingerLongest)) != nil {
			return
		}
		m, err := c.Conn.Read(buf)
		if n += int64(m); err != nil {
			return
		}
	}
}

// connKey is where the context of a request has its connection.
type connKey struct{}

func withConn(ctx context.Context, c net.Conn) context.Context {
	return context.WithValue(ctx, connKey{}, c)
}

// connState notes that a request was read to its end: else its connection would not wait for another.
func connState(c net.Conn, state http.ConnState) {
	if cn, ok := c.(*conn); ok && state == http.StateIdle {
		cn.owed.Store(false)
	}
}

// connection is that of the request; nil in tests without one.
func (c *call) connection() *conn {
	cn, _ := c.r.Context().Value(connKey{}).(*conn)
	return cn
}

// settled tells the connection whether the client owes a rest of the request that is answered now. Who waits to be asked for the body
// (RFC 9110, section 10.1.1) and was not, sends none.
func (c *call) settled() {
	cn := c.connection()
	if cn == nil {
		return
	}
	if c.consumed || c.r.ContentLength == 0 || !c.reading && c.r.Header.Get("Expect") != "" {
		cn.owed.Store(false)
	}
}
