// SPDX-License-Identifier: Apache-2.0

package client

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"os"
	"syscall"
	"time"
)

const (
	// vanishedAfter is how long a daemon on another machine may be unreachable before a call that waits for it is broken off.
	vanishedAfter = 20 * time.Second

	connectWait   = 3 * time.Second
	handshakeWait = 5 * time.Second

	tcpUserTimeout = 18 // TCP_USER_TIMEOUT of linux/tcp.h, which package syscall has not
)

// NewTLS returns a client of the daemon on another machine, at HOST:PORT, over TLS. config is called for each connection, so that each has
// the certificates of its time; it must say whom to trust and what to show. It connects when it is first used.
func NewTLS(address string, config func() *tls.Config) *Client {
	dialer := net.Dialer{
		Timeout:         connectWait,
		KeepAliveConfig: net.KeepAliveConfig{Enable: true, Idle: vanishedAfter / 4, Interval: vanishedAfter / 4, Count: 3},
		Control:         setUserTimeout,
	}
	return newClient(address, "https", &http.Transport{
		DialTLSContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			c, err := dialer.DialContext(ctx, "tcp", address)
			if err != nil {
				return nil, err
			}
			shaking, cancel := context.WithTimeout(ctx, handshakeWait)
			defer cancel()
			conn := tls.Client(c, config())
			if err := conn.HandshakeContext(shaking); err != nil {
				c.Close()
				return nil, err
			}
			return conn, nil
		},
	})
}

// setUserTimeout bounds how long what was sent may stay unacknowledged, see tcp(7).
func setUserTimeout(_, _ string, c syscall.RawConn) error {
	var err error
	if e := c.Control(func(fd uintptr) {
		err = syscall.SetsockoptInt(int(fd), syscall.IPPROTO_TCP, tcpUserTimeout, int(vanishedAfter.Milliseconds()))
	}); e != nil {
		return e
	}
	return os.NewSyscallError("setsockopt TCP_USER_TIMEOUT", err)
}

// refusedByPeer reports whether the daemon ended the connection by a TLS alert. In TLS 1.3 a server verifies its client when that may have
// sent its first request already (RFC 8446, 4.4.2.4): the alert says that nobody has read it.
func refusedByPeer(err error) bool {
	var alert *net.OpError
	return errors.As(err, &alert) && alert.Op == "remote error" // so package tls names alerts
}
