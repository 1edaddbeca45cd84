// SPDX-License-Identifier: Apache-2.0

package api

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/textproto"
	"net/url"
	"strconv"
	"strings"

	"github.com/rs/zerolog"
)

// A request that net/http can't parse never comes to a handler: net/http answers by itself, with plain text and without an x-request-id.
// The contract has JSON for that, too. There is no hook, so the connection replaces the answer.

// jsonConn is a connection on which the server's own refusals are JSON.
type jsonConn struct {
	net.Conn
	log  *zerolog.Logger
	last []byte // the bytes of the last read, in the server's buffer: valid until the next read
}

func (c *jsonConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if n > 1 { // a single byte is how the server watches whether the client is still there
		c.last = p[:n]
	}
	return n, err
}

// refusalHeaders follow the status line of the server's own refusals, which it writes in one piece. No answer of ours has them: ours have
// more headers, in another order, and a body of JSON has no bare line break.
const refusalHeaders = "\r\nContent-Type: text/plain; charset=utf-8\r\nConnection: close\r\n\r\n"

// maxRefusal is longer than any of them, in bytes.
const maxRefusal = 512

// refusalStatus returns the status of a refusal by the server itself, if p, which the server writes, is one; 0 for an answer of ours.
func refusalStatus(p []byte) int {
	status, ours := bytes.CutPrefix(p, []byte("HTTP/1.1 "))
	if !ours || len(p) > maxRefusal {
		return 0
	}
	status, _, is := bytes.Cut(status, []byte(refusalHeaders))
	if !is || len(status) < 3 || bytes.ContainsAny(status, "\r\n") {
		return 0
	}
	code, _ := strconv.Atoi(string(status[:3]))
	return code
}

func (c *jsonConn) Write(p []byte) (int, error) {
	code := refusalStatus(p)
	if code == 0 {
		return c.Conn.Write(p)
	}
	target, header := c.request()
	trace := traceID(header)
	e := unparsed(code, target)
	body, err := json.Marshal(e)
	if err != nil {
		panic(err)
	}
	c.log.Info().Str("traceId", trace).Str("method", "").Str("path", "").Int("statusCode", code).Str("code", e.Code).Msg("request_unreadable")
	answer := fmt.Appendf(nil, "HTTP/1.1 %d %s\r\nContent-Type: application/json; charset=utf-8\r\nContent-Length: %d\r\nX-Request-Id: %s\r\nX-Content-Type-Options: nosniff\r\nCache-Control: no-store\r\nConnection: close\r\n\r\n%s",
		code, http.StatusText(code), len(body), trace, body)
	if _, err := c.Conn.Write(answer); err != nil {
		return 0, err
	}
	return len(p), nil
}

// CloseWrite is called by the server before it waits for the client to read a refusal.
func (c *jsonConn) CloseWrite() error {
	if half, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return nil
}

// unparsed is the answer for a request that can't be parsed, in Fastify's words where it has some.
func unparsed(code int, target string) *frameworkError {
	if _, err := url.ParseRequestURI(target); code == http.StatusBadRequest && target != "" && err != nil {
		return newFrameworkError(code, "FST_ERR_BAD_URL", fmt.Sprintf("'%s' is not a valid url component", target))
	}
	switch code {
	case http.StatusRequestHeaderFieldsTooLarge:
		return newFrameworkError(code, "", "Exceeded maximum allowed HTTP header size")
	case http.StatusBadRequest:
		return newFrameworkError(code, "", "Client Error")
	}
	return newFrameworkError(code, "", http.StatusText(code))
}

// request returns the readable parts of the request: its target and headers. The beginning may be missing.
func (c *jsonConn) request() (target string, header http.Header) {
	r := textproto.NewReader(bufio.NewReader(bytes.NewReader(c.last)))
	line, _ := r.ReadLine()
	if words := strings.Fields(line); len(words) == 3 && strings.HasPrefix(words[2], "HTTP/") {
		target = words[1]
	}
	lines, _ := r.ReadMIMEHeader() // as far as they go
	return target, http.Header(lines)
}
