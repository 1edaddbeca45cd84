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

// takeBody reads the body of a POST. It runs before callers are turned away, as the contract says, so an unknown caller can make us
// hold a body: see strangerBodies. It answers and returns false when there is no body to go on with.
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
		c.dropBody()
		c.overloaded()
		return false
	case errCoding:
		c.w.Header().Set("Accept-Encoding", "identity") // RFC 9110, section 15.5.16
	}
	c.framework(wrong)
	return false
}

// bodyBudget is where the caller's bodies count: a tenant's as such, a stranger's by the address.
func (s *Server) bodyBudget(c *call) holding {
	if c.refused == nil {
		return s.bodies.holding(c.who.Tenant)
	}
	return s.strangerBodies.holding(s.clientAddr(c.r).String())
}

// bodyless are the routes of ours that read no body. Clients send them a type all the same, that of a form or of JSON, and nothing
// of it; the original's one, analyze, refuses that, and so does ours.
var bodyless = map[string]bool{"/v1/jobs/:jobId/rerun": true, "/v1/jobs/:jobId/deliveries": true}

// noBody reports whether the request has an empty body, whatever its type says.
func (c *call) noBody(p *pace) bool {
	r := c.r
	if r.ContentLength >= 0 {
		return r.ContentLength == 0
	}
	p.allow(0)
	c.reading = true
	first := make([]byte, 1) // of a chunked one only reading tells
	n, err := io.ReadFull(r.Body, first)
	r.Body = struct {
		io.Reader
		io.Closer
	}{io.MultiReader(bytes.NewReader(first[:n]), r.Body), r.Body}
	return err == io.EOF
}

// dropBody forgets the body, so that others have room: for a handler that goes on without it.
func (c *call) dropBody() {
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

// smallBody is what a body may have without being counted, in bytes: it takes no more than its connection does, and there is always room
// for the usual job.
const smallBody = 16 << 10

// readBody reads a body of at most size bytes. Room for it is reserved as it arrives, not as it is announced: who sends nothing holds
// nothing. The buffer doubles, and is never larger than what is reserved.
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

// judgeBody is what data is to a route.
func judgeBody(data []byte, kind string) (decode.Body, *frameworkError) {
	switch {
	case kind == "text/plain":
		return decode.Body{Text: true}, nil
	case len(data) == 0:
		return decode.Body{}, errEmptyJSON
	}
	data = bytes.TrimPrefix(data, []byte("\ufeff"))
	// JSON is UTF-8 (RFC 8259, section 8.1). encoding/json would put U+FFFD for what is not, and so run another program than was sent.
	if !utf8.Valid(data) || !json.Valid(data) {
		return decode.Body{}, errBadJSON
	}
	return decode.Body{JSON: data}, nil
}
