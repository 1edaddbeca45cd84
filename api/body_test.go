// SPDX-License-Identifier: Apache-2.0

package api

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// Whatever is wrong with a body, each route that takes one says so, with a status and a form that its contract has: do holds it to that.
func TestBadBodies(t *testing.T) {
	s := newStack(t, nil)
	id := s.submit(strings.Replace(helloPython, "{", `{"webhook":{"url":"https://example.com","secret":"0123456789abcdef"},`, 1))
	if err := complete(claim(t, s.queue), exited(0, "")); err != nil {
		t.Fatal(err)
	}
	header := func(pairs ...string) http.Header {
		h := http.Header{}
		for i := 0; i < len(pairs); i += 2 {
			h.Set(pairs[i], pairs[i+1])
		}
		return h
	}
	for _, rt := range s.server.routes() {
		if rt.method != "POST" || rt.access == tasks { // see TestTaskBodies
			continue
		}
		for name, tt := range map[string]struct {
			header http.Header
			body   string
			status int
			code   string
		}{
			"malformed":           {header(), `{"a":`, 400, "FST_ERR_CTP_INVALID_JSON_BODY"},
			"not UTF-8":           {header(), "{\"a\":\"caf\xe9\"}", 400, "FST_ERR_CTP_INVALID_JSON_BODY"},
			"a form":              {header("Content-Type", "application/x-www-form-urlencoded"), "a=b", 415, "FST_ERR_CTP_INVALID_MEDIA_TYPE"},
			"gzip":                {header("Content-Encoding", "gzip"), "{}", 415, "FST_ERR_CTP_INVALID_MEDIA_TYPE"},
			"two codings":         {http.Header{"Content-Encoding": {"identity", "br"}}, "{}", 415, "FST_ERR_CTP_INVALID_MEDIA_TYPE"},
			"larger than allowed": {header(), `"` + strings.Repeat("x", maxBody) + `"`, 413, "FST_ERR_CTP_BODY_TOO_LARGE"},
		} {
			a := s.do("POST", strings.ReplaceAll(rt.path, ":jobId", id), tt.body, tt.header)
			if a.status != tt.status || a.at("code") != tt.code {
				t.Errorf("POST %s, %s: %d %s, want %d %s", rt.path, name, a.status, a.raw, tt.status, tt.code)
			}
			if refused := a.header.Get("Accept-Encoding"); (refused == "identity") != (len(tt.header["Content-Encoding"]) > 0) {
				t.Errorf("POST %s, %s: accept-encoding %q", rt.path, name, refused)
			}
			// A body that was read to its end leaves the connection as good as it was.
			if closed := a.header.Get("Connection") == "close"; closed != (tt.code != "FST_ERR_CTP_INVALID_JSON_BODY") {
				t.Errorf("POST %s, %s: the connection is closed: %v", rt.path, name, closed)
			}
		}
	}
	if a := s.do("POST", "/v1/jobs", helloPython, header("Content-Encoding", "Identity")); a.status != 202 {
		t.Errorf("the coding that is none: %d %s", a.status, a.raw)
	}
}

// An empty body is none on our routes that read none, whatever type a client gives it. The original's has the contract's answers.
func TestEmptyBodies(t *testing.T) {
	s := newStack(t, nil)
	id := s.submit(strings.Replace(helloPython, "{", `{"webhook":{"url":"https://example.com","secret":"0123456789abcdef"},`, 1))
	if err := complete(claim(t, s.queue), exited(0, "")); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]map[string]int{
		"/v1/jobs/" + id + "/rerun":      {"": 202, "application/json": 202, "application/x-www-form-urlencoded": 202, "text/plain": 202, "strange": 202},
		"/v1/jobs/" + id + "/deliveries": {"": 202, "application/json": 202, "application/x-www-form-urlencoded": 202, "multipart/form-data": 202},
		"/v1/jobs/" + id + "/analyze":    {"": 200, "application/json": 400, "application/x-www-form-urlencoded": 415, "text/plain": 200},
		"/executions/" + id + "/analyze": {"": 200, "application/json": 400},
	} {
		for kind, status := range want {
			for _, chunked := range []bool{false, true} {
				if chunked && kind == "" {
					continue // a body of unknown length, so there is one, without a type
				}
				r := httptest.NewRequest("POST", path, strings.NewReader(""))
				if chunked {
					r.ContentLength, r.TransferEncoding = -1, []string{"chunked"}
				}
				r.Header.Set("X-Api-Key", testKey)
				if kind != "" {
					r.Header.Set("Content-Type", kind)
				}
				w := httptest.NewRecorder()
				s.server.ServeHTTP(w, r)
				if w.Code != status {
					t.Errorf("POST %s as %q, chunked %v: %d %s, want %d", path, kind, chunked, w.Code, w.Body, status)
				}
			}
		}
	}
	if a := s.do("POST", "/v1/jobs/"+id+"/rerun", "{}", nil); a.status != 202 {
		t.Errorf("a body that is ignored: %d %s", a.status, a.raw)
	}
}

// Half of a surrogate pair can't be run as it was sent, wherever it is.
func TestLoneSurrogates(t *testing.T) {
	s := newStack(t, nil)
	for member, body := range map[string]string{
		"sourceCode": `{"language":"python","sourceCode":"print('\ud800')"}`,
		"stdin":      `{"language":"python","sourceCode":"x","stdin":"\udc00\ud800"}`,
		"args":       `{"language":"python","sourceCode":"x","args":["fine","\ud83d"]}`,
		"env":        `{"language":"python","sourceCode":"x","env":{"A":"\ud83d"}}`,
		"files":      `{"language":"python","sourceCode":"x","files":[{"name":"a","content":"\ud83d "}]}`,
		"tests":      `{"language":"python","sourceCode":"x","tests":[{"expectedOutput":"\ude00"}]}`,
		"webhook":    `{"language":"python","sourceCode":"x","webhook":{"url":"https://example.com","secret":"0123456789abcdef\ud83d"}}`,
		"checker":    `{"language":"python","sourceCode":"x","tests":[{}],"checker":{"language":"python","sourceCode":"\ud83d"}}`,
	} {
		a := s.post("/v1/jobs", body)
		found, _ := a.at("issues", "fieldErrors", member).([]any)
		if a.status != 400 || len(found) == 0 || !strings.Contains(found[0].(string), "surrogate") {
			t.Errorf("%s: %d %s", member, a.status, a.raw)
		}
	}
	id := s.submit(`{"language":"python","sourceCode":"print('\ud83d\ude00 \\ud800')"}`)
	if got, want := claim(t, s.queue).Job.Source, `print('😀 \ud800')`; got != want {
		t.Errorf("job %s runs %q, want %q", id, got, want)
	}
}
