// SPDX-License-Identifier: Apache-2.0

package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"
)

// Each call asks for what it says, and reads the answer.
func TestCalls(t *testing.T) {
	ctx := t.Context()
	for name, tt := range map[string]struct {
		call   func(*Client) (any, error)
		asked  string // method and target
		answer string
		want   string // the result, as %v
	}{
		"job":      {func(c *Client) (any, error) { j, err := c.Job(ctx, "a b"); return j.Status, err }, "GET /v1/jobs/a%20b?encoding=base64", `{"status":"running"}`, "running"},
		"wait":     {func(c *Client) (any, error) { j, err := c.Wait(ctx, "1"); return j.Final(), err }, "GET /v1/jobs/1?encoding=base64&wait=30", `{"status":"timed_out"}`, "true"},
		"cancel":   {func(c *Client) (any, error) { j, err := c.Cancel(ctx, "1"); return j.Status, err }, "DELETE /v1/jobs/1", `{"status":"cancelled"}`, "cancelled"},
		"rerun":    {func(c *Client) (any, error) { return c.Rerun(ctx, "1") }, "POST /v1/jobs/1/rerun", `{"jobId":"2"}`, "2"},
		"delete":   {func(c *Client) (any, error) { return nil, c.Delete(ctx, "1") }, "DELETE /v1/jobs/1/data", `{"deleted":true}`, "<nil>"},
		"analyze":  {func(c *Client) (any, error) { raw, err := c.Analyze(ctx, "1"); return string(raw), err }, "POST /v1/jobs/1/analyze", `{"x":1}`, `{"x":1}`},
		"quotas":   {func(c *Client) (any, error) { raw, err := c.Quotas(ctx); return string(raw), err }, "GET /v1/quotas", `{"x":1}`, `{"x":1}`},
		"costs":    {func(c *Client) (any, error) { raw, err := c.Costs(ctx, 3); return string(raw), err }, "GET /v1/costs?days=3", `{"x":1}`, `{"x":1}`},
		"runtimes": {func(c *Client) (any, error) { return c.Runtimes(ctx) }, "GET /v1/runtimes", `{"runtimes":[{"language":"python","available":true,"aliases":["py"],"sourceFile":"main.py"}]}`, "[{python true [py] main.py}]"},
	} {
		t.Run(name, func(t *testing.T) {
			c := serve(t, func(_ int, w http.ResponseWriter, r *http.Request) {
				if got := r.Method + " " + r.URL.RequestURI(); got != tt.asked {
					t.Errorf("asked %s, want %s", got, tt.asked)
				}
				fmt.Fprint(w, tt.answer)
			})
			got, err := tt.call(c)
			if err != nil || fmt.Sprint(got) != tt.want {
				t.Errorf("%v, %v, want %s", got, err, tt.want)
			}
		})
	}
}

// A submission has the contract's members, and none that was not given.
func TestSubmissionMembers(t *testing.T) {
	for want, s := range map[string]Submission{
		`{"language":"py"}`: {Language: "py"},
		`{"args":["a"],"env":{"A":"1"},"language":"py","memoryMb":64,"priority":"low","sourceCode":"x","stdinBase64":"AA==","timeoutMs":5}`: {
			Language: "py", SourceCode: "x", Stdin: []byte{0}, Args: []string{"a"}, Env: map[string]string{"A": "1"}, TimeoutMs: 5, MemoryMb: 64,
			More: map[string]any{"priority": "low"}},
	} {
		got, err := json.Marshal(s)
		if err != nil || string(got) != want {
			t.Errorf("%s, %v, want %s", got, err, want)
		}
	}
}

// Run goes on waiting when the first answer is not the end.
func TestRunWaits(t *testing.T) {
	c := serve(t, func(n int, w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, `{"jobId":"job-1","status":"%s"}`, []string{"queued", "running", "succeeded"}[n-1])
		if n == 1 && r.Header.Get("Idempotency-Key") != "mine" {
			t.Errorf("key %q", r.Header.Get("Idempotency-Key"))
		}
	})
	j, err := c.Run(t.Context(), Submission{Language: "python", IdempotencyKey: "mine"})
	if err != nil || j.Status != "succeeded" || string(j.Raw) != `{"jobId":"job-1","status":"succeeded"}` {
		t.Errorf("%+v, %v", j, err)
	}
	done := serve(t, func(_ int, w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, `{"jobId":"job-1","status":"failed"}`)
	})
	if j, err := done.Run(t.Context(), Submission{}); err != nil || j.Status != "failed" || len(j.Raw) == 0 {
		t.Errorf("%+v, %v", j, err)
	}
}

// What can't be tried again without harm, or soon, is not.
func TestNotAgain(t *testing.T) {
	for name, tt := range map[string]struct {
		call  func(*Client) error
		after string
		calls int
	}{
		"a POST without a key":  {func(c *Client) error { _, err := c.Rerun(t.Context(), "1"); return err }, "0", 1},
		"a pause that is long":  {func(c *Client) error { _, err := c.Job(t.Context(), "1"); return err }, "11", 1},
		"four times, and never": {func(c *Client) error { _, err := c.Job(t.Context(), "1"); return err }, "0", maxAttempts},
		"a caller that has left": {func(c *Client) error {
			ctx, cancel := context.WithCancel(t.Context())
			cancel()
			_, err := c.Job(ctx, "1")
			return err
		}, "0", 0},
	} {
		t.Run(name, func(t *testing.T) {
			calls := 0
			c := serve(t, func(_ int, w http.ResponseWriter, _ *http.Request) {
				calls++
				w.Header().Set("Retry-After", tt.after)
				w.WriteHeader(http.StatusServiceUnavailable)
			})
			if err := tt.call(c); err == nil || calls != tt.calls {
				t.Errorf("%v after %d calls, want an error after %d", err, calls, tt.calls)
			}
		})
	}
}

// The text of an error says which call was refused, and by what.
func TestErrorText(t *testing.T) {
	for body, want := range map[string]string{
		`{"error":"quota_exceeded","reason":"max_daily_jobs"}`:          "429 Too Many Requests: quota_exceeded: max_daily_jobs",
		`{"error":"validation_error","issues":{"formErrors":["x"]}}`:    `429 Too Many Requests: validation_error: {"formErrors":["x"]}`,
		`{"statusCode":400,"error":"Bad Request","message":"not JSON"}`: "429 Too Many Requests: Bad Request: not JSON",
		"<html>a proxy's</html>\n":                                      "429 Too Many Requests: <html>a proxy's</html>",
	} {
		c := serve(t, func(_ int, w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusTooManyRequests)
			_, _ = io.WriteString(w, body)
		})
		_, err := c.Quotas(t.Context())
		if err == nil || err.Error() != "GET "+c.url+"/v1/quotas: "+want {
			t.Errorf("%v, want %s", err, want)
		}
	}
}

// An answer that can't be read, or is too large, is an error.
func TestBadAnswers(t *testing.T) {
	for name, body := range map[string]string{"no JSON": "<html>", "too large": `"` + strings.Repeat("x", maxBody) + `"`} {
		c := serve(t, func(_ int, w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, body) })
		if j, err := c.Job(t.Context(), "1"); err == nil {
			t.Errorf("%s: %+v", name, j)
		}
	}
	if _, err := New("http://[", "").Job(t.Context(), "1"); err == nil {
		t.Error("a URL that is none was taken")
	}
}

// A list ends with its error, stops where its reader stops, and begins anew each time.
func TestLists(t *testing.T) {
	c := serve(t, func(_ int, w http.ResponseWriter, r *http.Request) {
		q := r.URL.Query()
		switch q.Get("cursor") {
		case "":
			if q.Get("limit") != "100" {
				t.Errorf("%s", r.URL)
			}
			fmt.Fprint(w, `{"events":[{"action":"one"},{"action":"two"}],"nextCursor":"c"}`)
		default:
			w.WriteHeader(http.StatusBadRequest)
		}
	})
	events := c.Audit(t.Context())
	for range 2 {
		var got []string
		var fault error
		for e, err := range events {
			if err != nil {
				fault = err
				continue
			}
			got = append(got, e.Action)
		}
		var refused *Error
		if strings.Join(got, " ") != "one two" || !errors.As(fault, &refused) || refused.Status != http.StatusBadRequest {
			t.Errorf("%v, then %v", got, fault)
		}
	}
	for e := range events {
		if e.Action != "one" {
			t.Errorf("%s first", e.Action)
		}
		break
	}
	odd := serve(t, func(_ int, w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, `{"events":[7],"nextCursor":null}`) })
	for e, err := range odd.Audit(t.Context()) {
		if err == nil {
			t.Errorf("%+v", e)
		}
	}
}

func TestHistoryQuery(t *testing.T) {
	at := time.Date(2026, 1, 31, 23, 59, 59, 0, time.FixedZone("", 3600))
	c := serve(t, func(_ int, w http.ResponseWriter, r *http.Request) {
		if want := "from=2026-01-31T22%3A59%3A59Z&language=java&limit=7&status=failed&to=2026-01-31T22%3A59%3A59Z&view=summary"; r.URL.RawQuery != want {
			t.Errorf("%s, want %s", r.URL.RawQuery, want)
		}
		fmt.Fprint(w, `{"items":[],"nextCursor":null}`)
	})
	for j, err := range c.History(t.Context(), HistoryQuery{Status: "failed", Language: "java", From: at, To: at, Page: 7}) {
		t.Errorf("%+v, %v", j, err)
	}
}

// What ends a stream for good is the error of Follow.
func TestFollowEnds(t *testing.T) {
	own := errors.New("enough")
	for name, tt := range map[string]struct {
		answer string
		status int
		want   string
	}{
		"an error event":    {"event: error\ndata: {\"error\":\"not_found\"}\n\n", 200, "the stream ended: not_found"},
		"no JSON":           {"event: stdout\ndata: {\n\n", 200, "the event stdout can't be read"},
		"no base64":         {"event: stdout\ndata: {\"base64\":\"?\"}\n\n", 200, "the event stdout can't be read"},
		"the reader's own":  {"event: stdout\ndata: {\"text\":\"x\"}\n\n", 200, "enough"},
		"a refusal":         {`{"error":"not_found"}`, 404, "404 Not Found: not_found"},
		"lost all the time": {"event: job\ndata: {}\n\n", 200, "unexpected EOF"},
		"never ready":       {"", 503, "503 Service Unavailable"},
	} {
		t.Run(name, func(t *testing.T) {
			c := serve(t, func(_ int, w http.ResponseWriter, _ *http.Request) {
				w.WriteHeader(tt.status)
				fmt.Fprint(w, tt.answer)
			})
			status, err := c.Follow(t.Context(), "1", func(Output) error { return own })
			if status != "" || err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("%q, %v, want %s", status, err, tt.want)
			}
		})
	}
}
