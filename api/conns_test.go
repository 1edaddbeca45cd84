// SPDX-License-Identifier: Apache-2.0

package api

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/rs/zerolog"

	"github.com/ccee-dev/ccee/e2e/patience"
)

// sendsAll is a client that sends its request to the end before it reads, as Python's urllib does. It returns the status.
func sendsAll(address, head string, size int, chunked bool) (int, error) {
	c, err := net.Dial("tcp", address)
	if err != nil {
		return 0, err
	}
	defer c.Close()
	w := bufio.NewWriterSize(c, 64<<10)
	const piece = 50_000
	if chunked {
		fmt.Fprintf(w, "%sTransfer-Encoding: chunked\r\n\r\n", head)
	} else {
		fmt.Fprintf(w, "%sContent-Length: %d\r\n\r\n", head, size)
	}
	for sent := 0; sent < size; sent += piece {
		if chunked {
			fmt.Fprintf(w, "%x\r\n%s\r\n", piece, strings.Repeat(" ", piece))
		} else {
			_, _ = io.WriteString(w, strings.Repeat(" ", piece))
		}
	}
	if chunked {
		_, _ = io.WriteString(w, "0\r\n\r\n")
	}
	if err := w.Flush(); err != nil { // the first error stays
		return 0, fmt.Errorf("send: %w", err)
	}
	resp, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		return 0, fmt.Errorf("read: %w", err)
	}
	defer resp.Body.Close()
	_, err = io.Copy(io.Discard, resp.Body)
	return resp.StatusCode, err
}

// Whatever is refused, and whenever: a client that sends its request to the end before it reads gets the answer.
func TestAnswersReachThoseWhoStillSend(t *testing.T) {
	s := newStack(t, func(o *Options) { o.Log = zerolog.Nop() })
	address := strings.TrimPrefix(openOn(t, s), "http://")
	id := s.submit(helloPython)
	type request struct {
		line, header string
		status       int // 0: any
	}
	good, typed := "X-Api-Key: "+testKey+"\r\n", "Content-Type: application/json\r\n"
	requests := []request{
		{"POST /nope", good + typed, 404}, {"PUT /v1/jobs", good + typed, 404}, {"OPTIONS /v1/jobs", good, 404},
		{"POST /v1/jobs", typed, 413}, {"POST /v1/jobs", "X-Api-Key: wrong\r\n" + typed, 413},
		{"POST /v1/jobs", good + "Content-Type: text/html\r\n", 415}, {"POST /v1/jobs", good + typed + "Content-Encoding: gzip\r\n", 415},
		{"GET /v1/jobs", typed, 401}, {"GET /v1/jobs", good + "X-Long: " + strings.Repeat("x", 2*maxHeader) + "\r\n", 431}, {"GET /%zz", good, 400},
	}
	for _, rt := range s.server.routes() {
		if strings.HasSuffix(rt.path, "/events") {
			continue // a stream: its answer has no end
		}
		r := request{rt.method + " " + strings.ReplaceAll(rt.path, ":jobId", id), good + typed, 0}
		if rt.method == "POST" && rt.access != tasks {
			r.status = 413
		}
		requests = append(requests, r)
	}
	var wg sync.WaitGroup
	slots := make(chan struct{}, 8)
	for _, r := range requests {
		for _, closing := range []string{"", "Connection: close\r\n"} {
			for _, size := range []int{1_100_000, 5_000_000} {
				for _, chunked := range []bool{false, true} {
					slots <- struct{}{}
					wg.Go(func() {
						defer func() { <-slots }()
						status, err := sendsAll(address, r.line+" HTTP/1.1\r\nHost: x\r\n"+r.header+closing, size, chunked)
						if err != nil || r.status != 0 && status != r.status {
							t.Errorf("%s %.40q, %q, %d bytes, chunked %v: %d, %v; want %d", r.line, r.header, closing, size, chunked, status, err, r.status)
						}
					})
				}
			}
		}
	}
	wg.Wait()
	patience.Until(t, "no connection is read on", func() (bool, string) {
		return s.server.lingering.taken() == 0, fmt.Sprint(s.server.lingering.taken())
	})
}

// Who goes on sending, or sends nothing and stays, is read on within bounds.
func TestLingeringIsBounded(t *testing.T) {
	s := newStack(t, func(o *Options) { o.Log = zerolog.Nop() })
	s.server.lingering = newBudget(4)
	address := strings.TrimPrefix(openOn(t, s), "http://")
	if _, err := sendsAll(address, "POST /nope HTTP/1.1\r\nHost: x\r\nConnection: close\r\n", lingerBytes*3, false); err == nil {
		t.Errorf("%d bytes were read on, want at most %d", lingerBytes*3, lingerBytes)
	}
	const head = "POST /nope HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 100000000\r\n\r\n"
	for range 8 {
		c, err := net.Dial("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		if _, err := io.WriteString(c, head); err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadAll(c); err != nil { // its answer, and the end of what the server says
			t.Fatal(err)
		}
	}
	n := s.server.lingering.taken()
	if n != 1 {
		t.Errorf("%d connections of one address are read on, want a quarter of 4", n)
	}
	patience.Until(t, "who sends nothing is let go", func() (bool, string) {
		return s.server.lingering.taken() == 0, fmt.Sprint(s.server.lingering.taken())
	})
}

// One address can't have all connections.
func TestConnectionsOfOneAddress(t *testing.T) {
	s := newStack(t, func(o *Options) { o.Log = zerolog.Nop() })
	s.server.conns = newBudget(40)
	address := strings.TrimPrefix(openOn(t, s), "http://")
	dial := func(from string) net.Conn {
		d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}}
		c, err := d.Dial("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		return c
	}
	served := func(c net.Conn) bool {
		if _, err := io.WriteString(c, "GET /health HTTP/1.1\r\nHost: x\r\n\r\n"); err != nil {
			return false
		}
		resp, err := http.ReadResponse(bufio.NewReader(c), nil)
		return err == nil && resp.StatusCode == 200
	}
	n := 0
	var last net.Conn
	for range 40 {
		if c := dial("127.0.0.1"); served(c) {
			n, last = n+1, c
		}
	}
	if n != 10 {
		t.Errorf("one address has %d connections of 40, want a quarter", n)
	}
	other := dial("127.0.0.2")
	if !served(other) {
		t.Error("another address is not served")
	}
	other.Close()
	last.Close()
	patience.Until(t, "a place comes back", func() (bool, string) { return served(dial("127.0.0.1")), "" })
}
