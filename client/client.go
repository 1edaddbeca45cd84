// SPDX-License-Identifier: Apache-2.0

package client

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// The bounds of a call.
const (
	maxBody     = 16 << 20 // bytes of an answer
	maxAttempts = 4        // of a call that may be made again
	firstPause  = 250 * time.Millisecond
	longPause   = 10 * time.Second // a longer Retry-After is left to the caller
)

// Client is a client of one API with one credential. It is safe for concurrent use.
type Client struct {
	url, key string
	http     *http.Client
	pause    time.Duration // before the second try of a call; doubled each time
}

// New returns a client of the API at that URL with that API key.
func New(url, key string) *Client {
	return &Client{url: strings.TrimSuffix(url, "/"), key: key, http: &http.Client{}, pause: firstPause}
}

// Error is the answer of a server that refused a call.
type Error struct {
	Status     int    // of HTTP
	Code       string // "quota_exceeded"
	Reason     string // "max_concurrent_jobs"
	TraceID    string // under which the server's log has it
	RetryAfter time.Duration
	Issues     json.RawMessage // the faults of the request, field by field
	Body       []byte          // the whole answer

	call string
}

func (e *Error) Error() string {
	said := e.Code
	if e.Reason != "" {
		said += ": " + e.Reason
	}
	if e.Issues != nil {
		said += ": " + string(e.Issues)
	}
	if said == "" {
		said = string(bytes.TrimSpace(e.Body))
	}
	return fmt.Sprintf("%s: %d %s: %s", e.call, e.Status, http.StatusText(e.Status), said)
}

// errTooLarge means that the answer has more bytes than a client reads; the next one would, too.
var errTooLarge = fmt.Errorf("the answer has more than %d bytes", maxBody)

// request is one call.
type request struct {
	method, path string
	query        url.Values
	body         any           // nil: none
	key          string        // Idempotency-Key; "" for none
	wait         time.Duration // for which the server may keep the answer back
}

// again reports whether the call may be made twice.
func (r *request) again() bool { return r.method != http.MethodPost || r.key != "" }

// call makes a call and decodes its answer into out, unless that is nil. It tries again when there was no answer, or a 503 that asks for
// another try soon.
func (c *Client) call(ctx context.Context, r request, out any) ([]byte, error) {
	var payload []byte
	if r.body != nil {
		var err error
		if payload, err = json.Marshal(r.body); err != nil {
			return nil, fmt.Errorf("encode the request: %w", err)
		}
	}
	pause := c.pause
	for attempt := 1; ; attempt++ {
		body, err := c.once(ctx, r, payload)
		if err == nil {
			if out != nil {
				if err = json.Unmarshal(body, out); err != nil {
					err = fmt.Errorf("%s %s%s: the answer can't be read: %w", r.method, c.url, r.path, err)
				}
			}
			return body, err
		}
		var refused *Error
		if errors.As(err, &refused) {
			if refused.Status != http.StatusServiceUnavailable || refused.RetryAfter > longPause {
				return nil, err
			}
			pause = max(pause, refused.RetryAfter)
		}
		if errors.Is(err, errTooLarge) || attempt == maxAttempts || !r.again() || !sleep(ctx, pause) {
			return nil, err
		}
		pause *= 2
	}
}

func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}

// once makes a call once.
func (c *Client) once(ctx context.Context, r request, payload []byte) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, r.wait+30*time.Second)
	defer cancel()
	resp, err := c.send(ctx, r, payload)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxBody+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("%s %s%s: read the answer: %w", r.method, c.url, r.path, err)
	case len(body) > maxBody:
		return nil, fmt.Errorf("%s %s%s: %w", r.method, c.url, r.path, errTooLarge)
	case resp.StatusCode/100 != 2:
		return nil, c.refusal(r, resp, body)
	}
	return body, nil
}

func (c *Client) send(ctx context.Context, r request, payload []byte) (*http.Response, error) {
	target := c.url + r.path
	if len(r.query) > 0 {
		target += "?" + r.query.Encode()
	}
	req, err := http.NewRequestWithContext(ctx, r.method, target, bytes.NewReader(payload))
	if err != nil {
		return nil, err
	}
	if c.key != "" {
		req.Header.Set("X-Api-Key", c.key)
	}
	if payload != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if r.key != "" {
		req.Header.Set("Idempotency-Key", r.key)
	}
	return c.http.Do(req)
}

// refusal reads the answer of a refused call, from the application or from the layer below it.
func (c *Client) refusal(r request, resp *http.Response, body []byte) *Error {
	e := &Error{Status: resp.StatusCode, Body: body, call: r.method + " " + c.url + r.path}
	var said struct {
		Error, Reason, Message, TraceID string
		Issues                          json.RawMessage
	}
	if json.Unmarshal(body, &said) == nil {
		e.Code, e.Reason, e.TraceID, e.Issues = said.Error, said.Reason, said.TraceID, said.Issues
		if e.Reason == "" {
			e.Reason = said.Message
		}
	}
	if n, err := strconv.Atoi(resp.Header.Get("Retry-After")); err == nil && n >= 0 {
		e.RetryAfter = time.Duration(n) * time.Second
	}
	return e
}

// newKey makes an idempotency key.
func newKey() string { return rand.Text() }
