// SPDX-License-Identifier: Apache-2.0

package api

import (
	"bufio"
	"fmt"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"context"

	"github.com/ccee-dev/ccee/e2e/patience"
)

// onSocket runs the server on a unix socket and returns how to connect.
func onSocket(t *testing.T, s *stack) func() net.Conn {
	t.Helper()
	l, err := net.Listen("unix", filepath.Join(t.TempDir(), "api.sock"))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error)
	go func() { done <- s.server.Serve(ctx, l) }()
	t.Cleanup(func() {
		cancel()
		if err := patience.Receive(t, done, "Serve returns"); err != nil {
			t.Error(err)
		}
	})
	return func() net.Conn {
		c, err := net.Dial("unix", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		return c
	}
}

// ask sends a request on a connection and returns the status.
func ask(t *testing.T, c net.Conn, request string) int {
	t.Helper()
	if _, err := fmt.Fprint(c, request); err != nil {
		t.Fatal(err)
	}
	resp, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	return resp.StatusCode
}

const askJobs = "GET /v1/jobs HTTP/1.1\r\nHost: x\r\nX-Api-Key: " + testKey + "\r\n\r\n"

// Ten thousand connections that say nothing cost a tenant nothing.
func TestIdleConnections(t *testing.T) {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
	n := min(10_000, int(limit.Cur/2)-200) // both ends are in this process
	if n < 100 {
		t.Fatalf("only %d files may be open: raise ulimit -n", limit.Cur)
	}
	s := newStack(t, nil)
	connect := onSocket(t, s)
	for range n {
		connect()
	}
	if status := ask(t, connect(), askJobs); status != 200 {
		t.Errorf("with %d idle connections: %d, want 200", n, status)
	}
}

// Those who send a request byte by byte are cut off, and hold nobody up meanwhile.
func TestSlowHeaders(t *testing.T) {
	s := newStack(t, nil)
	connect := onSocket(t, s)
	var slow sync.WaitGroup
	for range 500 {
		c := connect()
		if _, err := fmt.Fprint(c, "GET /v1/jobs HTTP/1.1\r\nHost: x\r\nX-Api-Ke"); err != nil {
			t.Fatal(err)
		}
		slow.Go(func() {
			// The end of the connection, or an answer that refuses: not a wait without end.
			_, _ = bufio.NewReader(c).ReadByte()
		})
	}
	if status := ask(t, connect(), askJobs); status != 200 {
		t.Errorf("with 500 slow ones: %d, want 200", status)
	}
	slow.Wait() // headerTimeout ends them
}

func TestLargeHeaders(t *testing.T) {
	s := newStack(t, nil)
	connect := onSocket(t, s)
	for name, header := range map[string]string{
		"one line":   "X-Long: " + strings.Repeat("x", 64<<10) + "\r\n",
		"many lines": strings.Repeat("X-Many: x\r\n", 8<<10),
	} {
		if status := ask(t, connect(), "GET /health HTTP/1.1\r\nHost: x\r\n"+header+"\r\n"); status != http.StatusRequestHeaderFieldsTooLarge {
			t.Errorf("%s: %d, want 431", name, status)
		}
	}
	long := "GET /health?" + strings.Repeat("x", 64<<10) + " HTTP/1.1\r\nHost: x\r\n\r\n"
	if status := ask(t, connect(), long); status != http.StatusRequestHeaderFieldsTooLarge {
		t.Errorf("a long target: %d, want 431", status)
	}
	if status := ask(t, connect(), askJobs); status != 200 {
		t.Errorf("after them: %d, want 200", status)
	}
}
