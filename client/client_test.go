// SPDX-License-Identifier: Apache-2.0

package client

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// serve answers with what answer does; n is the number of the request.
func serve(t *testing.T, answer func(n int, w http.ResponseWriter, r *http.Request)) *Client {
	t.Helper()
	n := 0
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n++
		answer(n, w, r)
	}))
	t.Cleanup(srv.Close)
	c := New(srv.URL+"/", "key-1")
	c.pause = time.Millisecond
	return c
}

// A submission that was not answered is made again with the same key, and so is no second job.
func TestSubmitAgain(t *testing.T) {
	var keys []string
	c := serve(t, func(n int, w http.ResponseWriter, r *http.Request) {
		keys = append(keys, r.Header.Get("Idempotency-Key"))
		body, _ := io.ReadAll(r.Body)
		if r.URL.Path != "/v1/jobs" || r.Header.Get("X-Api-Key") != "key-1" || !strings.Contains(string(body), `"language":"python"`) {
			t.Errorf("%s %v %s", r.URL, r.Header, body)
		}
		switch n {
		case 1:
			w.WriteHeader(http.StatusServiceUnavailable)
		case 2:
			conn, _, _ := w.(http.Hijacker).Hijack()
			conn.Close()
		default:
			w.WriteHeader(http.StatusAccepted)
			fmt.Fprint(w, `{"jobId":"job-1"}`)
		}
	})
	id, err := c.Submit(t.Context(), Submission{Language: "python", SourceCode: "x", More: map[string]any{"priority": "high"}})
	if err != nil || id != "job-1" || len(keys) != 3 || keys[0] == "" || keys[0] != keys[1] || keys[1] != keys[2] {
		t.Errorf("%q, %v, keys %q", id, err, keys)
	}
}

func TestRefusal(t *testing.T) {
	c := serve(t, func(n int, w http.ResponseWriter, _ *http.Request) {
		if n > 1 {
			t.Error("a refusal was asked for again")
		}
		w.Header().Set("Retry-After", "7")
		w.WriteHeader(http.StatusTooManyRequests)
		fmt.Fprint(w, `{"error":"rate_limited","traceId":"trace-1"}`)
	})
	_, err := c.Job(t.Context(), "a/b")
	var e *Error
	if !errors.As(err, &e) || e.Status != 429 || e.Code != "rate_limited" || e.TraceID != "trace-1" || e.RetryAfter.Seconds() != 7 ||
		!strings.Contains(err.Error(), "/v1/jobs/a%2Fb: 429 Too Many Requests: rate_limited") {
		t.Errorf("%v", err)
	}
}

func TestHistoryPages(t *testing.T) {
	c := serve(t, func(n int, w http.ResponseWriter, r *http.Request) {
		if got := r.URL.Query().Get("cursor"); got != []string{"", "c2"}[n-1] || r.URL.Query().Get("status") != "failed" {
			t.Errorf("query %s", r.URL.RawQuery)
		}
		_ = json.NewEncoder(w).Encode(map[string]any{"items": []any{map[string]any{"jobId": fmt.Sprint("job-", n)}}, "nextCursor": []any{"c2", nil}[n-1]})
	})
	var ids []string
	for j, err := range c.History(t.Context(), HistoryQuery{Status: "failed"}) {
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, j.JobID)
	}
	if strings.Join(ids, " ") != "job-1 job-2" {
		t.Errorf("jobs %v", ids)
	}
}

// A stream that breaks is gone on with behind the last event that came.
func TestFollow(t *testing.T) {
	c := serve(t, func(n int, w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		if n == 1 {
			fmt.Fprint(w, "retry: 2000\n\nevent: job\ndata: {}\n\nevent: stdout\nid: 1.1.0.0.1.0\ndata: {\"step\":\"run\",\"text\":\"a\"}\n\n: still here\n\n")
			return
		}
		if got := r.URL.Query().Get("lastEventId"); got != "1.1.0.0.1.0" {
			t.Errorf("lastEventId %q", got)
		}
		fmt.Fprint(w, "event: stderr\nid: 2.1.0.0.1.1\ndata: {\"step\":\"run\",\"text\":\"?\",\"base64\":\"/w==\"}\n\nevent: done\ndata: {\"status\":\"failed\"}\n\n")
	})
	said := ""
	status, err := c.Follow(t.Context(), "job-1", func(o Output) error { said += o.Stream + ":" + string(o.Data) + " "; return nil })
	if err != nil || status != "failed" || said != "stdout:a stderr:\xff " {
		t.Errorf("%q, %v, %q", status, err, said)
	}
}
