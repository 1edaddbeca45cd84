// SPDX-License-Identifier: Apache-2.0

package client

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"os"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/ccee-dev/ccee/job"
)

// Client talks to one daemon. Its methods may be called at the same time; connections are kept and reused.
type Client struct {
	where  string // path of the socket, or HOST:PORT
	scheme string // "http" on a socket, "https" to another machine
	http   *http.Client
}

// New returns a client of the daemon on that unix socket. It connects when it is first used.
func New(socket string) *Client {
	dialer := net.Dialer{Timeout: 10 * time.Second}
	return newClient(socket, "http", &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return dialer.DialContext(ctx, "unix", socket)
		},
	})
}

func newClient(where, scheme string, t *http.Transport) *Client {
	t.MaxIdleConns, t.MaxIdleConnsPerHost = 1024, 1024
	t.IdleConnTimeout = 90 * time.Second // less than the daemon's, so that it seldom closes one that is about to be used
	t.DisableCompression = true
	return &Client{where: where, scheme: scheme, http: &http.Client{Transport: t}}
}

// Where returns the path of the daemon's socket, or its HOST:PORT.
func (c *Client) Where() string { return c.where }

// Close closes the connections that are not in use.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// Run runs spec and returns its result. However the program ends is a result; an error means that the job was not run.
func (c *Client) Run(ctx context.Context, spec job.Spec) (job.Result, error) {
	var res job.Result
	err := c.call(ctx, "POST", "/v1/run", spec, &res)
	return res, err
}

// Cancel cancels the running or waiting job of that id: its caller gets a result with the status cancelled, or an error with code
// ECancelled if it had not begun. An unknown id is ENotFound.
func (c *Client) Cancel(ctx context.Context, id string) error {
	return c.call(ctx, "DELETE", "/v1/run/"+url.PathEscape(id), nil, nil)
}

// Languages lists the languages that the daemon can run.
func (c *Client) Languages(ctx context.Context) ([]job.Language, error) {
	var list struct{ Languages []job.Language }
	err := c.call(ctx, "GET", "/v1/languages", nil, &list)
	return list.Languages, err
}

// Capacity returns what the daemon has room for now. A daemon of a version that does not say is ENotFound.
func (c *Client) Capacity(ctx context.Context) (job.Capacity, error) {
	var capacity job.Capacity
	err := c.call(ctx, "GET", "/v1/capacity", nil, &capacity)
	return capacity, err
}

// Ready returns nil if the daemon can run jobs, else an *job.Error with code EUnavailable and the reason.
func (c *Client) Ready(ctx context.Context) error {
	_, err := c.ready(ctx)
	return err
}

// Readiness describes a daemon that is ready.
type Readiness struct {
	Slots       int      // jobs that it runs at once; 0: it is of a version that doesn't say
	QueueWaitMs int64    // milliseconds that a job may wait for a slot; 0: likewise
	Warnings    []string // faults with which it runs jobs all the same
}

// Readiness is Ready with what a daemon that is ready says of itself.
func (c *Client) Readiness(ctx context.Context) (Readiness, error) {
	state, err := c.ready(ctx)
	return state.Readiness, err
}

// readiness is the daemon's answer to GET /ready.
type readiness struct {
	Readiness
	Ready   bool
	Reasons []string
	Error   *job.Error
}

func (c *Client) ready(ctx context.Context) (state readiness, err error) {
	resp, err := c.send(ctx, "GET", "/ready", "application/json", nil)
	if err != nil {
		return state, err
	}
	defer resp.Body.Close()
	if err := c.read(ctx, resp, &state); err != nil {
		return state, err
	}
	switch {
	case state.Error != nil:
		return state, state.Error
	case !state.Ready:
		return state, job.Errorf(job.EUnavailable, "the daemon on %s is not ready: %s", c.where, strings.Join(state.Reasons, "; "))
	}
	return state, nil
}

// call makes one request and decodes its answer into out, unless that is nil.
func (c *Client) call(ctx context.Context, method, path string, in, out any) error {
	resp, err := c.send(ctx, method, path, "application/json", in)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode/100 != 2 {
		return c.refusal(ctx, resp)
	}
	if out == nil {
		return nil
	}
	return c.read(ctx, resp, out)
}

// maxBody bounds the bytes of an answer. The largest is a result with four outputs of 1 MiB of which JSON escapes every byte, and 4 MiB of
// files in base64.
const maxBody = 64 << 20

func (c *Client) read(ctx context.Context, resp *http.Response, out any) error {
	b, err := io.ReadAll(io.LimitReader(resp.Body, maxBody+1))
	switch {
	case err != nil:
		return c.broken(ctx, err)
	case len(b) > maxBody:
		return job.Errorf(job.EInternal, "the daemon's answer has more than %d bytes", maxBody)
	}
	if err := json.Unmarshal(b, out); err != nil {
		return job.Errorf(job.EInternal, "the daemon's answer can't be read (HTTP %d): %v", resp.StatusCode, err)
	}
	return nil
}

// refusal reads {"error":...}.
func (c *Client) refusal(ctx context.Context, resp *http.Response) error {
	var body struct{ Error *job.Error }
	if err := c.read(ctx, resp, &body); err != nil {
		return err
	}
	if body.Error == nil {
		return job.Errorf(job.EInternal, "the daemon answered HTTP %d without saying why: its log may", resp.StatusCode)
	}
	return body.Error
}

func (c *Client) send(ctx context.Context, method, path, accept string, in any) (*http.Response, error) {
	var body io.Reader
	if in != nil {
		b, err := json.Marshal(in)
		if err != nil {
			return nil, fmt.Errorf("encode the request: %w", err)
		}
		body = bytes.NewReader(b)
	}
	req, err := http.NewRequestWithContext(ctx, method, c.scheme+"://daemon"+path, body)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Accept", accept)
	req.Header.Set("Content-Type", "application/json")
	// A daemon that restarts may close a kept connection just when a request is sent on it. net/http sends such a request again
	// if it is marked as idempotent; an empty list here does that without sending the header. It does no harm, since a job
	// is killed when its connection closes.
	req.Header["Idempotency-Key"] = nil
	var sent atomic.Bool
	req = req.WithContext(httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		WroteRequest: func(w httptrace.WroteRequestInfo) {
			if w.Err == nil {
				sent.Store(true)
			}
		},
	}))
	resp, err := c.http.Do(req)
	if err != nil && sent.Load() && !refusedByPeer(err) {
		return nil, c.broken(ctx, err)
	}
	if err != nil {
		return nil, c.lost(ctx, err)
	}
	return resp, nil
}

// ErrBroken is wrapped by the error for a daemon that received the request and did not answer it to the end: it may have begun the job. An
// error with code EUnavailable that does not wrap it means that no job has begun.
var ErrBroken = errors.New("the daemon broke off")

// brokenError is a *job.Error that also wraps ErrBroken.
type brokenError struct{ fault *job.Error }

func (e brokenError) Error() string   { return e.fault.Error() }
func (e brokenError) Unwrap() []error { return []error{e.fault, ErrBroken} }

// broken is lost for a request that the daemon received.
func (c *Client) broken(ctx context.Context, err error) error {
	err = c.lost(ctx, err)
	var e *job.Error
	if errors.As(err, &e) {
		return brokenError{e}
	}
	return err
}

// lost is the error for a daemon that did not answer.
func (c *Client) lost(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return fmt.Errorf("the daemon's answer was not awaited: %w", context.Cause(ctx))
	}
	if e, ok := err.(*url.Error); ok {
		err = e.Err // without the made-up URL
	}
	switch {
	case c.scheme == "https":
		return job.Errorf(job.EUnavailable, "no answer from the daemon at %s: %v", c.where, err)
	case errors.Is(err, fs.ErrPermission):
		return job.Errorf(job.EUnavailable, "uid %d may not use the daemon's socket %s: run this as root or as a member of the group ccee",
			os.Geteuid(), c.where)
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ECONNREFUSED):
		return job.Errorf(job.EUnavailable, "no daemon is running on %s (%v): make run starts everything; --socket names another socket",
			c.where, err)
	}
	return job.Errorf(job.EUnavailable, "no answer from the daemon on %s: %v: see its log", c.where, err)
}
