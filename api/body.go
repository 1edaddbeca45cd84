// SPDX-License-Identifier: Apache-2.0

package api

import (
	"bytes"
	"encoding/json"
	"errors"
	"github.com/ccee-dev/ccee/api/decode"
	"io"
	"mime"
	"net/http"
	"os"
	"strings"
	"time"
	"unicode/utf8"
)

// maxBody bounds a request's body, in bytes.
const maxBody = 1 << 20

// The errors of reading a body, as the framework words them.
var (
	errMediaType = newFrameworkError(http.StatusUnsupportedMediaType, "FST_ERR_CTP_INVALID_MEDIA_TYPE",
		"Unsupported Media Type")
	errTooLarge = newFrameworkError(http.StatusRequestEntityTooLarge, "FST_ERR_CTP_BODY_TOO_LARGE",
		"Request body is too large")
	errEmptyJSON = newFrameworkError(http.StatusBadRequest, "FST_ERR_CTP_EMPTY_JSON_BODY",
		"Body cannot be empty when content-type is set to 'application/json'")
	errBadJSON = newFrameworkError(http.StatusBadRequest, "FST_ERR_CTP_INVALID_JSON_BODY",
		"Body is not valid JSON but content-type is set to 'application/json'")
	errCoding = newFrameworkError(http.StatusUnsupportedMediaType, "FST_ERR_CTP_INVALID_MEDIA_TYPE",
		"Unsupported Content-Encoding: send the body as it is")
	errSlow = newFrameworkError(http.StatusRequestTimeout, "", "The request's body did not come in time")
	// errNoRoom is answered in the words of the application.
	errNoRoom = newFrameworkError(http.StatusServiceUnavailable, "", "overloaded")
	errLength = newFrameworkError(http.StatusBadRequest, "FST_ERR_CTP_INVALID_CONTENT_LENGTH",
		"Request body size did not match Content-Length")
)

// takeBody reads the body of a POST. It runs before callers are rejected, as the contract says, so an unauthenticated caller can make us
// hold a body: see anonymousBodies. It answers and returns false when the body can't be used.
func (s *Server) takeBody(c *call) bool {
	p := s.newPace(c.w)
	defer p.end()
	if bodyless[c.route] && c.noBody(p) {
		c.consumed = true
		return true
	}
	kind, size, wrong := bodyHeader(c.r)
	if wrong == nil && kind != "" {
		c.held = s.bodyBudget(c)
		c.reading = true
		c.body, wrong = c.readBody(p, kind, size)
	}
	switch wrong {
	case nil:
		return true
	case errBadJSON, errEmptyJSON: // it was read to its end
	default:
		c.w.Header().Set("Connection", "close") // the client may be sending still
	}
	switch wrong {
	case errNoRoom:
		c.releaseBody()
		c.overloaded()
		return false
	case errCoding:
		c.w.Header().Set("Accept-Encoding", "identity") // RFC 9110, section 15.5.16
	}
	c.framework(wrong)
	return false
}

// bodyBudget returns a reservation in the budget for the caller's bodies: a tenant's, or, for an unauthenticated caller, the address's.
func (s *Server) bodyBudget(c *call) reservation {
	if c.authErr == nil {
		return s.bodies.reservation(c.who.Tenant)
	}
	return s.anonymousBodies.reservation(s.clientAddr(c.r).String())
}

// bodyless are the routes of ours that read no body. Clients send them a Content-Type all the same, and an empty body; the original's own
// such route, analyze, refuses that, and so does ours.
var bodyless = map[string]bool{"/v1/jobs/:jobId/rerun": true, "/v1/jobs/:jobId/deliveries": true}

// noBody reports whether the request has an empty body, whatever its Content-Type is.
func (c *call) noBody(p *pace) bool {
	r := c.r
	if r.ContentLength >= 0 {
		return r.ContentLength == 0
	}
	p.allow(0)
	c.reading = true
	first := make([]byte, 1) // a chunked body must be read to know
	n, err := io.ReadFull(r.Body, first)
	r.Body = struct {
		io.Reader
		io.Closer
	}{io.MultiReader(bytes.NewReader(first[:n]), r.Body), r.Body}
	return err == io.EOF
}

// releaseBody drops the body and its reservation, for a handler that needs it no more.
func (c *call) releaseBody() {
	c.body = decode.Body{}
	c.held.shrink(0)
}

// bodyHeader returns the media type of a body, "" when there is none, and the number of bytes that it may have.
func bodyHeader(r *http.Request) (kind string, size int64, wrong *frameworkError) {
	for _, coding := range r.Header["Content-Encoding"] {
		if c := strings.ToLower(strings.TrimSpace(coding)); c != "" && c != "identity" {
			return "", 0, errCoding
		}
	}
	kinds := r.Header["Content-Type"]
	if len(kinds) == 0 {
		if r.ContentLength == 0 && len(r.TransferEncoding) == 0 {
			return "", 0, nil
		}
		return "", 0, errMediaType
	}
	kind, _, err := mime.ParseMediaType(kinds[0])
	if err != nil && !errors.Is(err, mime.ErrInvalidMediaParameter) {
		return "", 0, errMediaType
	}
	switch {
	case kind != "application/json" && kind != "text/plain":
		return "", 0, errMediaType
	case r.ContentLength > maxBody:
		return "", 0, errTooLarge
	case r.ContentLength < 0: // chunked
		return kind, maxBody, nil
	}
	return kind, r.ContentLength, nil
}

// smallBody is the size in bytes up to which a body needs no reservation: it takes no more than its connection does, and there is always
// room for the usual job.
const smallBody = 16 << 10

// readBody reads a body of at most size bytes. Room for it is reserved as it arrives, not as it is announced: a client that sends nothing
// holds nothing. The buffer doubles, and is never larger than its reservation.
func (c *call) readBody(p *pace, kind string, size int64) (decode.Body, *frameworkError) {
	buf := make([]byte, 0, min(size+1, smallBody)) // one more, to see the end in
	for {
		if len(buf) == cap(buf) {
			room := min(2*int64(cap(buf)), size+1)
			began := time.Now()
			if !c.held.grow(c.r.Context(), room) {
				return decode.Body{}, errNoRoom
			}
			p.from = p.from.Add(time.Since(began))
			buf = append(make([]byte, 0, room), buf...)
		}
		p.allow(len(buf))
		n, err := c.r.Body.Read(buf[len(buf):cap(buf)])
		buf = buf[:len(buf)+n]
		switch {
		case len(buf) > maxBody:
			return decode.Body{}, errTooLarge
		case err == io.EOF:
			c.consumed = true
			return judgeBody(buf, kind)
		case errors.Is(err, os.ErrDeadlineExceeded):
			return decode.Body{}, errSlow
		case err != nil:
			return decode.Body{}, errLength
		}
	}
}

// judgeBody checks a body that was read whole.
func judgeBody(data []byte, kind string) (decode.Body, *frameworkError) {
	switch {
	case kind == "text/plain":
		return decode.Body{Text: true}, nil
	case len(data) == 0:
		return decode.Body{}, errEmptyJSON
	}
	data = bytes.TrimPrefix(data, []byte("\ufeff"))
	// JSON is UTF-8 (RFC 8259, section 8.1). encoding/json would replace other bytes by U+FFFD, and so run another program than was sent.
	if !utf8.Valid(data) || !json.Valid(data) {
		return decode.Body{}, errBadJSON
	}
	return decode.Body{JSON: data}, nil
}
