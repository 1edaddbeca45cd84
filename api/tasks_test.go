// SPDX-License-Identifier: Apache-2.0

package api

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"github.com/ccee-dev/ccee/api/task"
	"github.com/ccee-dev/ccee/handoff"
	"github.com/ccee-dev/ccee/job"
)

const (
	taskNonce  = "0123456789abcdef"
	otherNonce = "fedcba9876543210"
	goodReport = `{"result":{"status":"succeeded","verdict":"exited","exitCode":0,"wallMs":1,"steps":[],"tier":"task"}}`
)

// taskStack is an API whose jobs run in ECS tasks.
func taskStack(t *testing.T) (*stack, *handoff.Store) {
	t.Helper()
	q := newQueue(t)
	store, err := handoff.New(q)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(store.Close)
	announce(t, q, time.Minute, languages)
	return newStackOn(t, q, func(o *Options) { o.Tasks = task.New(store, zerolog.Nop()) }), store
}

func offerJob(t *testing.T, store *handoff.Store, attempt int) *handoff.Offer {
	t.Helper()
	o, err := store.Offer(t.Context(), job.Spec{ID: unique("job"), Attempt: attempt, Language: "python", Source: "secret source"})
	if err != nil {
		t.Fatal(err)
	}
	return o
}

// bearer is what a task sends; the header of the tests' key is not.
func bearer(token handoff.Token, nonce string) http.Header {
	h := http.Header{"X-Api-Key": nil, "Authorization": {"Bearer " + string(token)}}
	if nonce != "" {
		h[job.NonceHeader] = []string{nonce}
	}
	return h
}

func TestTaskExchange(t *testing.T) {
	s, store := taskStack(t)
	o := offerJob(t, store, 1)
	me := bearer(o.Token, taskNonce)
	for range 2 {
		if a := s.do("POST", "/v1/task/payload", "", me); a.status != 200 || a.at("sourceCode") != "secret source" {
			t.Fatalf("payload: %d %s", a.status, a.raw)
		}
	}
	s.do("POST", "/v1/task/events", `{"events":[{"event":"stdout","step":"run","data":"aGk="}]}`, me).want(t, 200, `{"cancelled":false}`)
	s.do("POST", "/v1/task/events", `{}`, me).want(t, 200, `{"cancelled":false}`)
	if err := o.Cancel(t.Context()); err != nil {
		t.Fatal(err)
	}
	s.do("POST", "/v1/task/events", `{"future":1}`, me).want(t, 200, `{"cancelled":true}`)
	for range 2 { // an answer may be lost
		s.do("POST", "/v1/task/result", goodReport, me).want(t, 200, `{"cancelled":true}`)
	}
	n, err := o.Next(t.Context())
	if err != nil || n.End == nil || n.End.Result.Status != job.Succeeded || len(n.Events) != 1 || string(n.Events[0].Data) != "hi" {
		t.Errorf("news %+v, %v", n, err)
	}
	if strings.Contains(s.log.String(), string(o.Token)) || strings.Contains(s.log.String(), taskNonce) {
		t.Error("the log has a task's credential")
	}
}

// Whatever credential comes but the right one, nothing is given and nothing is taken.
func TestTaskRoutesRefuse(t *testing.T) {
	s, store := taskStack(t)
	a, b := offerJob(t, store, 1), offerJob(t, store, 1)
	older := offerJob(t, store, 1)
	if a := s.do("POST", "/v1/task/payload", "", bearer(older.Token, taskNonce)); a.status != 200 {
		t.Fatal(a.raw)
	}
	var spec job.Spec
	if raw, err := store.Take(t.Context(), older.Token, taskNonce); err != nil || json.Unmarshal(raw, &spec) != nil {
		t.Fatal(err)
	}
	spec.Attempt = 2
	if _, err := store.Offer(t.Context(), spec); err != nil {
		t.Fatal(err)
	}
	if a := s.do("POST", "/v1/task/payload", "", bearer(b.Token, otherNonce)); a.status != 200 {
		t.Fatal(a.raw)
	}
	_, jwt := hybridStack(t)
	none := http.Header{"X-Api-Key": nil}
	for name, tt := range map[string]struct {
		header http.Header
		status int
	}{
		"nothing":              {none, 401},
		"an API key":           {http.Header{"X-Api-Key": {testKey}, job.NonceHeader: {taskNonce}}, 401},
		"an API key as bearer": {bearer(testKey, taskNonce), 401},
		"a tenant's JWT": {http.Header{"X-Api-Key": nil, "Authorization": jwt["Authorization"], job.NonceHeader: {taskNonce}},
			401},
		"no nonce":      {bearer(a.Token, ""), 401},
		"a short nonce": {bearer(a.Token, "x"), 401},
		"two nonces": {http.Header{"X-Api-Key": nil, "Authorization": {"Bearer " + string(a.Token)},
			job.NonceHeader: {taskNonce, otherNonce}}, 401},
		"two tokens": {http.Header{"X-Api-Key": nil, "Authorization": {"Bearer " + string(a.Token),
			"Bearer " + string(a.Token)}, job.NonceHeader: {taskNonce}}, 401},
		"Basic": {http.Header{"X-Api-Key": nil, "Authorization": {"Basic " + string(a.Token)},
			job.NonceHeader: {taskNonce}}, 401},
		"a token that never was": {bearer("ccee-task-"+handoff.Token(strings.Repeat("A", 43)), taskNonce), 401},
		"a huge token":           {bearer(handoff.Token(strings.Repeat("A", 20_000)), taskNonce), 401},
		"an older attempt's":     {bearer(older.Token, taskNonce), 401},
		"job B's, another nonce": {bearer(b.Token, taskNonce), 409},
		"job B's, job A's, a key": {http.Header{"X-Api-Key": {testKey}, "Authorization": {"Bearer " + string(b.Token)},
			job.NonceHeader: {taskNonce}}, 409},
	} {
		for path, body := range map[string]string{"payload": "", "events": `{"events":[{"event":"started"}]}`, "result": goodReport} {
			if a := s.do("POST", "/v1/task/"+path, body, tt.header); a.status != tt.status || strings.Contains(a.raw, "secret") {
				t.Errorf("%s on %s: %d %s, want %d", name, path, a.status, a.raw, tt.status)
			}
		}
	}
	if a := s.do("POST", "/v1/task/result", goodReport, bearer(a.Token, taskNonce)); a.status != 409 {
		t.Errorf("a result of a job that was not taken: %d %s", a.status, a.raw)
	}
	if n, err := b.Next(t.Context()); err != nil || n.End != nil || n.Events != nil {
		t.Errorf("job B's worker has %+v, %v", n, err)
	}
	if err := b.Drop(t.Context()); err != nil {
		t.Fatal(err)
	}
	if a := s.do("POST", "/v1/task/result", goodReport, bearer(b.Token, otherNonce)); a.status != 401 {
		t.Errorf("after the job's end: %d %s, want 401", a.status, a.raw)
	}
}

// A task's token opens no other route, in any form, whatever kinds of credentials the API takes.
func TestTaskTokenOpensNothingElse(t *testing.T) {
	s, store := taskStack(t)
	hybrid, _ := hybridStack(t)
	o := offerJob(t, store, 1)
	id := s.submit(helloPython)
	for _, on := range []*stack{s, hybrid} {
		for _, rt := range on.server.routes() {
			if rt.access == anyone || rt.access == tasks {
				continue
			}
			for name, h := range map[string]http.Header{"bearer": bearer(o.Token, taskNonce), "key": {"X-Api-Key": {string(o.Token)}}} {
				body := ""
				if rt.method == "POST" {
					body = helloPython
				}
				if a := on.do(rt.method, strings.ReplaceAll(rt.path, ":jobId", id), body, h); a.status != 401 && a.status != 403 &&
					a.status != 429 {
					t.Errorf("%s %s with a task's token as %s: %d %s", rt.method, rt.path, name, a.status, a.raw)
				}
			}
		}
	}
}

func TestTaskBodies(t *testing.T) {
	s, store := taskStack(t)
	o := offerJob(t, store, 1)
	me := bearer(o.Token, taskNonce)
	if a := s.do("POST", "/v1/task/payload", "", me); a.status != 200 {
		t.Fatal(a.raw)
	}
	for _, tt := range []struct {
		path, body string
		status     int
	}{
		{"events", goodReport, 400}, {"result", `{}`, 400}, {"result", `{"events":[]}`, 400}, {"events", ``, 400}, {"events", `[`, 400},
		{"events", `{"events":[{"event":"result","result":{}}]}`, 400},
		{"events", `{"events":[` + strings.Repeat(`{"event":"started"},`, 512) + `{"event":"started"}]}`, 400},
		{"events", `{"events":[]` + strings.Repeat(" ", 1<<20) + `}`, 413},
		{"result", strings.Repeat(" ", 32<<20) + goodReport, 413},
		{"result", `{"result":{"status":"succeeded","verdict":"exited","exitCode":1}}`, 400},
		{"result", `{"result":{"status":"running","verdict":"exited"}}`, 400},
		{"result", `{"interrupted":true,"error":{"code":"busy","message":"x"}}`, 400},
		{"result", `{"interrupted":true}`, 200},
	} {
		if a := s.do("POST", "/v1/task/"+tt.path, tt.body, me); a.status != tt.status {
			t.Errorf("%s with %.80s: %d %.200s, want %d", tt.path, tt.body, a.status, a.raw, tt.status)
		}
	}
}

// Without ECS the routes are not there.
func TestNoTaskRoutes(t *testing.T) {
	s := newStack(t, nil)
	for _, path := range []string{"payload", "events", "result"} {
		if a := s.do("POST", "/v1/task/"+path, "{}", bearer("x", taskNonce)); a.status != 404 {
			t.Errorf("%s: %d %s, want 404", path, a.status, a.raw)
		}
	}
}

// A slow body is cut off, and meanwhile its token opens no second one; a caller without a good token is refused before its body is read.
func TestSlowTask(t *testing.T) {
	s, store := taskStack(t)
	o := offerJob(t, store, 1)
	if a := s.do("POST", "/v1/task/payload", "", bearer(o.Token, taskNonce)); a.status != 200 {
		t.Fatal(a.raw)
	}
	url, stop := serveOn(t, s)
	defer func() { _ = stop() }()
	send := func(token handoff.Token) (status <-chan int, body *io.PipeWriter) {
		r, w := io.Pipe()
		req, err := http.NewRequestWithContext(context.WithoutCancel(t.Context()), "POST", url+"/v1/task/result", r)
		if err != nil {
			t.Fatal(err)
		}
		req.Header = bearer(token, taskNonce)
		c := make(chan int, 1)
		go func() {
			resp, err := http.DefaultClient.Do(req)
			if err != nil {
				c <- 0
				return
			}
			_ = resp.Body.Close()
			c <- resp.StatusCode
		}()
		return c, w
	}
	stranger, w := send("ccee-task-" + handoff.Token(strings.Repeat("A", 43)))
	if got := <-stranger; got != 401 {
		t.Errorf("a stranger that sends no body: %d, want 401", got)
	}
	_ = w.Close()
	slow, w := send(o.Token)
	if _, err := io.WriteString(w, "{"); err != nil && !errors.Is(err, io.ErrClosedPipe) {
		t.Fatal(err)
	}
	second, w2 := send(o.Token)
	if got := <-second; got != 429 && got != 0 { // the connection may be closed while it writes
		t.Errorf("a second body with the same token: %d, want 429", got)
	}
	_ = w2.Close()
	if got := <-slow; got != 408 {
		t.Errorf("a slow body: %d, want 408", got)
	}
	_ = w.Close()
}
