package api

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"strings"
	"sync"
	"unicode/utf8"
)

// maxBody bounds a request's body, in bytes.
const maxBody = 1 << 20

// body is what a POST brought along.
type body struct {
	// json is one valid JSON value; nil when there was no body, which counts as {}.
	json []byte
	// text: the body was text/plain, so it is a string to the validation.
	text bool
}

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
	errLength = newFrameworkError(http.StatusBadRequest, "FST_ERR_CTP_INVALID_CONTENT_LENGTH",
		"Request body size did not match Content-Length")
)

// takeBody reads the body of a POST once there is room for it. It runs before callers are turned away, as the contract says,
// so an unknown caller can make us hold a body: see budgets. It answers and returns false when there is no body to go on with.
func (s *Server) takeBody(c *call) bool {
	if bodyless[c.route] && noBody(c.r) {
		return true
	}
	kind, size, wrong := bodyHeader(c.r)
	if wrong == nil && kind != "" {
		release, ok := s.budgets.take(c.r.Context(), c.refused == nil, size)
		if !ok {
			c.w.Header().Set("Connection", "close")
			c.overloaded()
			return false
		}
		c.release = sync.OnceFunc(release)
		c.body, wrong = readBody(c.w, c.r, kind, size)
	}
	switch wrong {
	case nil:
		return true
	case errBadJSON, errEmptyJSON: // it was read to its end
	default:
		c.w.Header().Set("Connection", "close") // the client may be sending still
	}
	if wrong == errCoding {
		c.w.Header().Set("Accept-Encoding", "identity") // RFC 9110, section 15.5.16
	}
	c.framework(wrong)
	return false
}

// bodyless are the routes of ours that read no body. Clients send them a type all the same, that of a form or of JSON, and nothing
// of it; the original's one, analyze, refuses that, and so does ours.
var bodyless = map[string]bool{"/v1/jobs/:jobId/rerun": true, "/v1/jobs/:jobId/deliveries": true}

// noBody reports whether r has an empty body, whatever its type says.
func noBody(r *http.Request) bool {
	if r.ContentLength >= 0 {
		return r.ContentLength == 0
	}
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
	c.body = body{}
	if c.release != nil {
		c.release()
	}
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

// readBody reads a body of at most size bytes.
func readBody(w http.ResponseWriter, r *http.Request, kind string, size int64) (body, *frameworkError) {
	// With room to see the end in, the buffer never grows, so a body costs what was reserved for it.
	buf := bytes.NewBuffer(make([]byte, 0, size+bytes.MinRead))
	_, err := buf.ReadFrom(http.MaxBytesReader(w, r.Body, maxBody))
	data := buf.Bytes()
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		return body{}, errTooLarge
	case err != nil:
		return body{}, errLength
	case kind == "text/plain":
		return body{text: true}, nil
	case len(data) == 0:
		return body{}, errEmptyJSON
	}
	data = bytes.TrimPrefix(data, []byte("\ufeff"))
	// JSON is UTF-8 (RFC 8259, section 8.1). encoding/json would put U+FFFD for what is not, and so run another program than was sent.
	if !utf8.Valid(data) || !json.Valid(data) {
		return body{}, errBadJSON
	}
	return body{json: data}, nil
}
