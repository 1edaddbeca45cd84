// SPDX-License-Identifier: Apache-2.0

package analysis

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ccee-dev/ccee/job"
)

const testAPIKey = "sk-test-0123456789abcdef"

// standIn is a server that speaks the chat completions protocol; answer gets the number of the request.
func standIn(t *testing.T, answer func(n int, w http.ResponseWriter, r *http.Request)) (string, *atomic.Int64) {
	t.Helper()
	var n atomic.Int64
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		answer(int(n.Add(1)), w, r)
	}))
	t.Cleanup(srv.Close)
	return srv.URL + "/v1", &n
}

// completion answers as the API does, with content as the model's message.
func completion(w http.ResponseWriter, content string) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(map[string]any{
		"id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": "m",
		"choices": []any{map[string]any{"index": 0, "finish_reason": "stop", "message": map[string]any{"role": "assistant", "content": content}}},
		"usage":   map[string]any{"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2},
	})
}

func newModel(t *testing.T, url string, change func(*OpenAIOptions)) *OpenAI {
	t.Helper()
	o := OpenAIOptions{APIKey: testAPIKey, Model: "gpt-4.1-mini", BaseURL: url, Timeout: 5 * time.Second, Retries: 2, Backoff: time.Millisecond,
		MaxSource: 50, Redaction: RedactSecrets}
	if change != nil {
		change(&o)
	}
	m, err := NewOpenAI(o)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

const goodAnswer = `{"summary":"It works","explanation":"It printed x.","suggestions":["a"," ","b",3,"d","e","f","g"],"confidence":"HIGH?"}`

func TestAsk(t *testing.T) {
	var asked struct {
		Model          string
		Temperature    float64
		ResponseFormat struct{ Type string } `json:"response_format"`
		Messages       []struct{ Role, Content string }
	}
	url, _ := standIn(t, func(_ int, w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		if err := json.Unmarshal(body, &asked); err != nil {
			t.Error(err)
		}
		if r.Method != "POST" || r.URL.Path != "/v1/chat/completions" || r.Header.Get("Authorization") != "Bearer "+testAPIKey {
			t.Errorf("%s %s %v", r.Method, r.URL, r.Header)
		}
		completion(w, goodAnswer)
	})
	m := newModel(t, url, nil)
	a, err := m.Ask(t.Context(), `{"status":"failed"}`)
	if err != nil || a.Summary != "It works" || a.Explanation != "It printed x." || strings.Join(a.Suggestions, "|") != "a|b|3|d|e" || a.Confidence != medium {
		t.Errorf("%+v, %v", a, err)
	}
	if asked.Model != "gpt-4.1-mini" || asked.Temperature != 0.2 || asked.ResponseFormat.Type != "json_object" || len(asked.Messages) != 2 ||
		asked.Messages[0].Role != "system" || asked.Messages[1].Role != "user" || asked.Messages[1].Content != `{"status":"failed"}` {
		t.Errorf("asked %+v", asked)
	}
}

func TestAskFails(t *testing.T) {
	for name, tt := range map[string]struct {
		answer   func(n int, w http.ResponseWriter, r *http.Request)
		reason   string
		requests int64
	}{
		"refused": {func(_ int, w http.ResponseWriter, _ *http.Request) {
			http.Error(w, `{"error":{"message":"bad key sk-x"}}`, http.StatusUnauthorized)
		}, "openai_http_401", 1},
		"bad request": {func(_ int, w http.ResponseWriter, _ *http.Request) {
			http.Error(w, `{"error":{"message":"x"}}`, http.StatusBadRequest)
		}, "openai_http_400", 1},
		"busy": {func(_ int, w http.ResponseWriter, _ *http.Request) {
			http.Error(w, `{"error":{"message":"x"}}`, http.StatusTooManyRequests)
		}, "openai_http_429", 3},
		"broken": {func(_ int, w http.ResponseWriter, _ *http.Request) { http.Error(w, "<html>", http.StatusBadGateway) }, "openai_http_502", 3},
		"broken, then good": {func(n int, w http.ResponseWriter, _ *http.Request) {
			if n < 3 {
				http.Error(w, "x", http.StatusInternalServerError)
			} else {
				completion(w, goodAnswer)
			}
		}, "", 3},
		"not JSON": {func(_ int, w http.ResponseWriter, _ *http.Request) { completion(w, "Sure! Here is") }, "openai_invalid_response", 3},
		"an array": {func(_ int, w http.ResponseWriter, _ *http.Request) { completion(w, "[]") }, "openai_invalid_response", 3},
		"empty":    {func(_ int, w http.ResponseWriter, _ *http.Request) { completion(w, " ") }, "openai_empty_response", 3},
		"no choices": {func(_ int, w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			fmt.Fprint(w, `{"choices":[]}`)
		}, "openai_empty_response", 3},
		"junk": {func(_ int, w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			fmt.Fprint(w, `{"choices":`)
		}, "openai_unknown_failure", 3},
		"huge": {func(_ int, w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			fmt.Fprintf(w, `{"choices":[{"message":{"content":"%s"}}]}`, strings.Repeat("x", 2*maxAnswer))
		}, "openai_unknown_failure", 3},
		"cut": {func(_ int, w http.ResponseWriter, _ *http.Request) {
			conn, _, _ := w.(http.Hijacker).Hijack()
			conn.Close()
		}, "openai_unknown_failure", 3},
	} {
		t.Run(name, func(t *testing.T) {
			url, n := standIn(t, tt.answer)
			_, err := newModel(t, url, nil).Ask(t.Context(), "{}")
			var f *Failure
			if errors.As(err, &f) != (tt.reason != "") || f != nil && f.Reason != tt.reason || n.Load() != tt.requests {
				t.Errorf("%v after %d requests, want %q after %d", err, n.Load(), tt.reason, tt.requests)
			}
		})
	}
}

// An answer may have maxAnswer bytes, and none more.
func TestAnswerIsBounded(t *testing.T) {
	for extra, reason := range map[int]string{0: "", 1: "openai_unknown_failure"} {
		url, _ := standIn(t, func(_ int, w http.ResponseWriter, _ *http.Request) {
			content, _ := json.Marshal(goodAnswer)
			answer := fmt.Sprintf(`{"choices":[{"message":{"content":%s}}]}`, content)
			fmt.Fprint(w, strings.Repeat(" ", maxAnswer-len(answer)+extra)+answer)
		})
		_, err := newModel(t, url, func(o *OpenAIOptions) { o.Retries = 0 }).Ask(t.Context(), "{}")
		var f *Failure
		if errors.As(err, &f) != (reason != "") || f != nil && f.Reason != reason {
			t.Errorf("%d bytes over the bound: %v, want %q", extra, err, reason)
		}
	}
}

// A redirect to another server would take the key and the tenant's program there.
func TestRedirects(t *testing.T) {
	var leaked atomic.Int64
	other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { leaked.Add(1) }))
	t.Cleanup(other.Close)
	redirect := func(to string) (Analysis, error) {
		url, _ := standIn(t, func(_ int, w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/moved" {
				completion(w, goodAnswer)
				return
			}
			http.Redirect(w, r, to, http.StatusTemporaryRedirect)
		})
		return newModel(t, url, func(o *OpenAIOptions) { o.Retries = 0 }).Ask(t.Context(), "{}")
	}
	if a, err := redirect("/moved"); err != nil || a.Summary != "It works" {
		t.Errorf("to the same server: %+v, %v", a, err)
	}
	var f *Failure
	if _, err := redirect(other.URL + "/v1/chat/completions"); !errors.As(err, &f) || f.Reason != "openai_unknown_failure" || leaked.Load() != 0 {
		t.Errorf("to another server: %v after %d requests there", err, leaked.Load())
	}
	if _, err := redirect("/v1/chat/completions"); !errors.As(err, &f) || f.Reason != "openai_unknown_failure" {
		t.Errorf("without end: %v", err)
	}
}

// Neither the error nor the reason may have what the provider's answer quotes.
func TestErrorTexts(t *testing.T) {
	url, _ := standIn(t, func(_ int, w http.ResponseWriter, _ *http.Request) {
		http.Error(w, `{"error":{"message":"Incorrect API key provided: `+testAPIKey+`"}}`, http.StatusUnauthorized)
	})
	_, err := newModel(t, url, nil).Ask(t.Context(), "{}")
	if want := "openai_http_401: OpenAI API error: 401 Unauthorized"; err == nil || err.Error() != want {
		t.Errorf("%v, want %s", err, want)
	}
}

// Between two tries there is a pause, within which the caller may leave.
func TestAskStopsBetweenTries(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	url, n := standIn(t, func(_ int, w http.ResponseWriter, _ *http.Request) {
		http.Error(w, "", http.StatusInternalServerError)
		cancel()
	})
	_, err := newModel(t, url, func(o *OpenAIOptions) { o.Backoff = time.Hour }).Ask(ctx, "{}")
	var f *Failure
	if !errors.As(err, &f) || n.Load() != 1 {
		t.Errorf("%v after %d requests, want a failure after 1", err, n.Load())
	}
}

func TestAskTimesOut(t *testing.T) {
	url, _ := standIn(t, func(_ int, _ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		<-r.Context().Done()
	})
	_, err := newModel(t, url, func(o *OpenAIOptions) { o.Timeout, o.Retries = 50*time.Millisecond, 0 }).Ask(t.Context(), "{}")
	var f *Failure
	if !errors.As(err, &f) || f.Reason != "openai_timeout" {
		t.Errorf("%v, want openai_timeout", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err = newModel(t, url, nil).Ask(ctx, "{}"); !errors.As(err, &f) || f.Reason != "openai_cancelled" {
		t.Errorf("%v, want openai_cancelled", err)
	}
}

func TestPrompt(t *testing.T) {
	in := ran(job.Exited, func(r *job.Result, s *job.Step) {
		code(1)(r, s)
		s.Stdout.Data = []byte(strings.Repeat("é", 9000))
		s.Stderr.Data = []byte("token=abc")
	})
	in.Source = "password='hunter2'\n" + strings.Repeat("x", 100)
	for mode, want := range map[Redaction]struct{ has, hasNot string }{
		RedactSecrets: {"[redacted]", "hunter2"}, RedactSource: {"[not sent]", "password"}, RedactNothing: {"hunter2", "[redacted]"},
	} {
		p := newModel(t, "", func(o *OpenAIOptions) { o.Redaction = mode }).Prompt(in)
		if !strings.Contains(p, want.has) || strings.Contains(p, want.hasNot) {
			t.Errorf("%s: %.300s", mode, p)
		}
		if !json.Valid([]byte(p)) || strings.Count(p, "é") != maxOutputChars || strings.Count(p, "x") > 60 {
			t.Errorf("%s: %d bytes, %d of the output", mode, len(p), strings.Count(p, "é"))
		}
	}
	if p := newModel(t, "", nil).Prompt(Input{Status: "queued"}); !strings.Contains(p, `"result":null`) {
		t.Errorf("without a result: %s", p)
	}
}

func TestOpenAIOptions(t *testing.T) {
	for _, o := range []OpenAIOptions{
		{APIKey: "short", Redaction: RedactNothing},
		{APIKey: testAPIKey, Redaction: "some"},
		{APIKey: testAPIKey, Redaction: RedactNothing, BaseURL: "ftp://x"},
		{APIKey: testAPIKey, Redaction: RedactNothing, BaseURL: "api.example.org"},
		{APIKey: testAPIKey, Redaction: RedactNothing, BaseURL: "https://x:y:z"},
	} {
		if _, err := NewOpenAI(o); err == nil {
			t.Errorf("%+v was taken", o)
		}
	}
	for base, want := range map[string]string{
		"": "https://api.openai.com/v1/chat/completions", "http://127.0.0.1:1/v1": "http://127.0.0.1:1/v1/chat/completions",
		"https://x.example/api/": "https://x.example/api/chat/completions",
	} {
		m, err := NewOpenAI(OpenAIOptions{APIKey: testAPIKey, Redaction: RedactNothing, BaseURL: base})
		if err != nil || m.chat.url != want {
			t.Errorf("%q: %v asks %v, want %s", base, err, m, want)
		}
	}
}

func FuzzParseAnswer(f *testing.F) {
	f.Add(goodAnswer)
	f.Fuzz(func(t *testing.T, s string) {
		a, err := parseAnswer(s)
		if err != nil {
			return
		}
		if a.Summary == "" || a.Explanation == "" || len(a.Suggestions) == 0 || len(a.Suggestions) > MaxSuggestions ||
			len([]rune(a.Summary)) > maxTextChars || (a.Confidence != low && a.Confidence != medium && a.Confidence != high) {
			t.Errorf("%q is %+v", s, a)
		}
	})
}
