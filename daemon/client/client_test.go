// SPDX-License-Identifier: Apache-2.0

package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/ccee-dev/ccee/e2e/patience"
	"github.com/ccee-dev/ccee/job"
)

// daemon answers on a unix socket as the test says, and returns a client of it.
func daemon(t *testing.T, handle http.HandlerFunc) *Client {
	t.Helper()
	path := filepath.Join(t.TempDir(), "s")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	srv := &http.Server{Handler: handle}
	done := make(chan struct{})
	go func() { defer close(done); _ = srv.Serve(l) }()
	c := New(path)
	t.Cleanup(func() { c.Close(); srv.Close(); patience.Receive(t, done, "the server ends") })
	return c
}

// says answers each request with that status and body.
func says(status int, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		io.WriteString(w, body)
	}
}

var spec = job.Spec{ID: "a", Language: "python", Source: "x", Stdin: []byte{0, 255}}

func TestRun(t *testing.T) {
	c := daemon(t, func(w http.ResponseWriter, r *http.Request) {
		var got job.Spec
		if err := json.NewDecoder(r.Body).Decode(&got); err != nil || r.Method != "POST" || r.URL.Path != "/v1/run" || got.ID != "a" || string(got.Stdin) != "\x00\xff" {
			t.Errorf("%s %s %+v (%v)", r.Method, r.URL.Path, got, err)
		}
		if r.Header.Get("Accept") == "application/x-ndjson" {
			t.Error("Run asks for a stream")
		}
		io.WriteString(w, `{"status":"succeeded","verdict":"exited","exitCode":0,"steps":[],"tier":"jail","later":1}`)
	})
	res, err := c.Run(t.Context(), spec)
	if err != nil || res.Status != job.Succeeded || res.ExitCode == nil {
		t.Errorf("Run = %+v, %v", res, err)
	}
}

func TestErrors(t *testing.T) {
	const refusal = `{"error":{"code":"invalid","field":"run.wallMs","message":"is too much"}}`
	for _, tt := range []struct {
		name   string
		status int
		body   string
		code   job.Code
		says   string
	}{
		{"a refusal", 400, refusal, job.EInvalid, "run.wallMs is too much"},
		{"an error without a body", 502, "", job.EInternal, "HTTP 502"},
		{"an error that isn't ours", 500, "<html>", job.EInternal, "HTTP 500"},
		{"an empty object", 500, "{}", job.EInternal, "HTTP 500"},
		{"a result that isn't JSON", 200, "<html>", job.EInternal, "can't be read"},
	} {
		c := daemon(t, says(tt.status, tt.body))
		_, run := c.Run(t.Context(), spec)
		for _, err := range []error{run, c.Cancel(t.Context(), "a/b")} {
			if tt.status == 200 && err == nil {
				continue // Cancel reads no body
			}
			var e *job.Error
			if !errors.As(err, &e) || e.Code != tt.code || !strings.Contains(e.Error(), tt.says) {
				t.Errorf("%s: %#v, want code %s saying %q", tt.name, err, tt.code, tt.says)
			}
		}
		if _, err := c.Stream(t.Context(), spec, func(job.Event) error { return nil }); job.ErrorCode(err) != tt.code {
			t.Errorf("%s: Stream = %#v, want code %s", tt.name, err, tt.code)
		}
	}
}

func TestNoDaemon(t *testing.T) {
	path := filepath.Join(t.TempDir(), "nobody.sock")
	c := New(path)
	_, err := c.Run(t.Context(), spec)
	if job.ErrorCode(err) != job.EUnavailable || !strings.Contains(err.Error(), path) || strings.Contains(err.Error(), "http://") {
		t.Errorf("Run = %v, want EUnavailable that names the socket", err)
	}
	if err := c.Ready(t.Context()); job.ErrorCode(err) != job.EUnavailable {
		t.Errorf("Ready = %v, want EUnavailable", err)
	}
}

// TestUnreachable: what a caller is told to do depends on why the daemon can't be reached.
func TestUnreachable(t *testing.T) {
	for _, tt := range []struct {
		errno    syscall.Errno
		says     string
		saysNone string
	}{
		{syscall.EACCES, "group ccee", "make run"},
		{syscall.ENOENT, "make run starts everything", "group"},
		{syscall.ECONNREFUSED, "make run starts everything", "group"},
		{syscall.ECONNRESET, "see its log", "make run"},
	} {
		dial := &net.OpError{Op: "dial", Net: "unix", Err: os.NewSyscallError("connect", tt.errno)}
		err := New("/run/x.sock").lost(t.Context(), &url.Error{Op: "Get", URL: "http://daemon/ready", Err: dial})
		if said := err.Error(); job.ErrorCode(err) != job.EUnavailable || !strings.Contains(said, "/run/x.sock") ||
			!strings.Contains(said, tt.says) || strings.Contains(said, tt.saysNone) {
			t.Errorf("%v: %v, want EUnavailable that names the socket and says %q, not %q", tt.errno, err, tt.says, tt.saysNone)
		}
	}
}

// hangUp closes the connection without an answer, as a daemon that is killed does.
func hangUp(t *testing.T, w http.ResponseWriter) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		t.Error(err)
		return
	}
	conn.Close()
}

func TestDaemonDies(t *testing.T) {
	c := daemon(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Accept") == "application/x-ndjson" {
			io.WriteString(w, `{"event":"started","step":"run"}`+"\n")
			http.NewResponseController(w).Flush()
		}
		hangUp(t, w)
	})
	if _, err := c.Run(t.Context(), spec); job.ErrorCode(err) != job.EUnavailable {
		t.Errorf("Run = %v, want EUnavailable", err)
	}
	seen := 0
	_, err := c.Stream(t.Context(), spec, func(job.Event) error { seen++; return nil })
	if job.ErrorCode(err) != job.EUnavailable || seen != 1 {
		t.Errorf("Stream = %v after %d events, want EUnavailable after 1", err, seen)
	}
}

func TestCallerGivesUp(t *testing.T) {
	gone := make(chan struct{}, 2)
	arrived := make(chan struct{}, 2)
	c := daemon(t, func(_ http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		arrived <- struct{}{}
		<-r.Context().Done()
		gone <- struct{}{}
	})
	ctx, cancel := context.WithCancelCause(patience.Context(t))
	mine := errors.New("lease lost")
	go func() { <-arrived; cancel(mine) }()
	if _, err := c.Run(ctx, spec); !errors.Is(err, mine) {
		t.Errorf("Run = %v, want the cause %v in the chain", err, mine)
	}
	patience.Receive(t, gone, "the daemon sees that its caller is gone")
}

func TestStream(t *testing.T) {
	c := daemon(t, says(200, `{"event":"started","step":"run","atMs":1}
{"event":"stdout","step":"run","data":"AP8="}
{"event":"from the future","x":1}

{"event":"exited","step":"run","verdict":"exited","exitCode":3}
{"event":"result","result":{"status":"failed","verdict":"exited","exitCode":3,"steps":[]}}
`))
	var types []string
	var out []byte
	res, err := c.Stream(t.Context(), spec, func(ev job.Event) error {
		types = append(types, string(ev.Type))
		out = append(out, ev.Data...)
		return nil
	})
	if err != nil || res.Status != job.Failed || *res.ExitCode != 3 || string(out) != "\x00\xff" {
		t.Errorf("Stream = %+v, %v with output %q", res, err, out)
	}
	if got := strings.Join(types, ","); got != "started,stdout,from the future,exited,result" {
		t.Errorf("events %s", got)
	}
}

func TestStreamEndsBadly(t *testing.T) {
	mine := errors.New("stdout is closed")
	for _, tt := range []struct {
		name, body string
		each       error
		code       job.Code
	}{
		{"error event", `{"event":"started"}` + "\n" + `{"event":"error","error":{"code":"unavailable","message":"draining"}}` + "\n", nil, job.EUnavailable},
		{"no result", `{"event":"started"}` + "\n", nil, job.EUnavailable},
		{"nothing", "", nil, job.EUnavailable},
		{"no event", "<html>\n", nil, job.EInternal},
	} {
		c := daemon(t, says(200, tt.body))
		if _, err := c.Stream(t.Context(), spec, func(job.Event) error { return tt.each }); job.ErrorCode(err) != tt.code {
			t.Errorf("%s: %v, want code %s", tt.name, err, tt.code)
		}
	}
	c := daemon(t, says(200, `{"event":"started"}`+"\n"))
	if _, err := c.Stream(t.Context(), spec, func(job.Event) error { return mine }); !errors.Is(err, mine) {
		t.Errorf("Stream = %v, want the callback's error", err)
	}
}

func TestLanguagesAndReady(t *testing.T) {
	c := daemon(t, says(200, `{"languages":[{"name":"python","run":["/p"]}]}`))
	list, err := c.Languages(t.Context())
	if err != nil || len(list) != 1 || list[0].Name != "python" {
		t.Errorf("Languages = %+v, %v", list, err)
	}
	for _, tt := range []struct {
		status int
		body   string
		code   job.Code
		says   string
	}{
		{200, `{"ready":true}`, "", ""},
		{503, `{"ready":false,"reasons":["no images","draining"]}`, job.EUnavailable, "no images; draining"},
		{403, `{"error":{"code":"forbidden","message":"uid 7"}}`, job.EForbidden, "uid 7"},
	} {
		err := daemon(t, says(tt.status, tt.body)).Ready(t.Context())
		if job.ErrorCode(err) != tt.code || !strings.Contains(fmt.Sprint(err), tt.says) {
			t.Errorf("Ready with HTTP %d %s = %v, want code %q saying %q", tt.status, tt.body, err, tt.code, tt.says)
		}
	}
}

// One connection must serve many jobs: after a stream, too, all of it was read.
func TestConnectionsAreKept(t *testing.T) {
	var conns atomic.Int32
	c := daemon(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Accept") == "application/x-ndjson" {
			io.WriteString(w, `{"event":"result","result":{}}`+"\n")
			http.NewResponseController(w).Flush()
			return
		}
		io.WriteString(w, "{}\n")
	})
	transport := c.http.Transport.(*http.Transport)
	dial := transport.DialContext
	transport.DialContext = func(ctx context.Context, network, addr string) (net.Conn, error) {
		conns.Add(1)
		return dial(ctx, network, addr)
	}
	for range 5 {
		if _, err := c.Run(t.Context(), spec); err != nil {
			t.Fatal(err)
		}
		if _, err := c.Stream(t.Context(), spec, func(job.Event) error { return nil }); err != nil {
			t.Fatal(err)
		}
	}
	if n := conns.Load(); n != 1 {
		t.Errorf("%d connections for 10 jobs one after the other, want 1", n)
	}
}

func FuzzEvents(f *testing.F) {
	f.Add([]byte(`{"event":"started"}` + "\n" + `{"event":"stdout","data":"AP8="}` + "\n" + `{"event":"result","result":{"steps":[{"stdout":{"text":"x","base64":"/w==","bytes":1}}]}}`))
	f.Add([]byte(`{"event":"error","error":{"code":"busy","message":"full"}}`))
	f.Add([]byte("\n\n{"))
	f.Fuzz(func(t *testing.T, stream []byte) {
		var lastType job.EventType
		_, err := decodeEvents(strings.NewReader(string(stream)), func(ev job.Event) error { lastType = ev.Type; return nil })
		if err == nil && lastType != job.EventResult {
			t.Errorf("%q: no error, though the last event is %q", stream, lastType)
		}
	})
}
