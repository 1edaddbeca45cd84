// SPDX-License-Identifier: Apache-2.0

package api

import (
	"github.com/ccee-dev/ccee/api/decode"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/iotest"
)

// The answers below the application: exact bodies of the contract, section 1.1.
func TestFrameworkErrors(t *testing.T) {
	s := newStack(t, nil)
	notFound := func(what string) string {
		return `{"message":"Route ` + what + ` not found","error":"Not Found","statusCode":404}`
	}
	const (
		emptyJSON = `{"statusCode":400,"code":"FST_ERR_CTP_EMPTY_JSON_BODY","error":"Bad Request",
			"message":"Body cannot be empty when content-type is set to 'application/json'"}`
		badJSON = `{"statusCode":400,"code":"FST_ERR_CTP_INVALID_JSON_BODY","error":"Bad Request",
			"message":"Body is not valid JSON but content-type is set to 'application/json'"}`
		mediaType = `{"statusCode":415,"code":"FST_ERR_CTP_INVALID_MEDIA_TYPE","error":"Unsupported Media Type",
			"message":"Unsupported Media Type"}`
		tooLarge = `{"statusCode":413,"code":"FST_ERR_CTP_BODY_TOO_LARGE","error":"Payload Too Large",
			"message":"Request body is too large"}`
	)
	kind := func(v string) http.Header { return http.Header{"Content-Type": {v}} }
	noKey := http.Header{"X-Api-Key": nil}
	for _, tt := range []struct {
		name, method, target string
		header               http.Header
		body                 string
		status               int
		want                 string
	}{
		{"unknown path", "GET", "/nope", nil, "", 404, notFound("GET:/nope")},
		{"unknown path with a query", "GET", "/nope?a=%20b", nil, "", 404, notFound("GET:/nope?a=%20b")},
		{"slash at the end", "GET", "/health/", nil, "", 404, notFound("GET:/health/")},
		{"slash at the end of a job", "GET", "/v1/jobs/x/", nil, "", 404, notFound("GET:/v1/jobs/x/")},
		{"no slash at the front of a double one", "GET", "//health", nil, "", 404, notFound("GET://health")},
		{"other case", "GET", "/Health", nil, "", 404, notFound("GET:/Health")},
		{"PUT on a known path", "PUT", "/v1/jobs", nil, "{}", 404, notFound("PUT:/v1/jobs")},
		{"DELETE on a known path", "DELETE", "/v1/jobs", nil, "", 404, notFound("DELETE:/v1/jobs")},
		{"PATCH on a job", "PATCH", "/v1/jobs/x", nil, "{}", 404, notFound("PATCH:/v1/jobs/x")},
		{"POST on a job", "POST", "/v1/jobs/x", nil, "{}", 404, notFound("POST:/v1/jobs/x")},
		{"logs have no twin under /v1", "GET", "/v1/jobs/x/logs", nil, "", 404, notFound("GET:/v1/jobs/x/logs")},
		{"unknown without a key", "GET", "/nope", noKey, "", 404, notFound("GET:/nope")},

		{"empty JSON", "POST", "/v1/jobs", kind("application/json"), "", 400, emptyJSON},
		{"malformed JSON", "POST", "/v1/jobs", nil, `{"language":`, 400, badJSON},
		{"two JSON values", "POST", "/v1/jobs", nil, `{} {}`, 400, badJSON},
		{"not UTF-8", "POST", "/v1/jobs", nil, "{\"language\":\"python\",\"sourceCode\":\"print(ascii('caf\xe9'))\"}", 400, badJSON},
		{"not UTF-8 in a batch", "POST", "/v1/batch", nil, "{\"jobs\":[{\"sourceCode\":\"\xff\"}]}", 400, badJSON},
		{"a surrogate as UTF-8", "POST", "/executions", nil, "{\"sourceCode\":\"\xed\xa0\x80\"}", 400, badJSON},
		{"an overlong form", "POST", "/v1/jobs/x/analyze", nil, "{\"a\":\"\xc0\xaf\"}", 400, badJSON},
		{"UTF-16", "POST", "/v1/jobs/x/rerun", nil, "\xff\xfe{\x00}\x00", 400, badJSON},
		{"a member's name", "POST", "/v1/admin/simulate/burst", nil, "{\"\xe9\":1}", 400, badJSON},
		{"white space only", "POST", "/v1/jobs", nil, "  ", 400, badJSON},
		{"malformed JSON on the alias", "POST", "/executions", nil, `'x'`, 400, badJSON},
		{"malformed JSON comes before a missing key", "POST", "/v1/jobs", noKey, `{`, 400, badJSON},
		{"a form", "POST", "/v1/jobs", kind("application/x-www-form-urlencoded"), "a=b", 415, mediaType},
		{"another JSON", "POST", "/v1/jobs", kind("application/vnd.api+json"), "{}", 415, mediaType},
		{"no media type", "POST", "/v1/jobs", kind("json"), "{}", 415, mediaType},
		{"an empty media type", "POST", "/v1/jobs", kind(""), "{}", 415, mediaType},
		{"a body without a type", "POST", "/v1/jobs", http.Header{"Content-Type": nil}, "{}", 415, mediaType},
		{"too large", "POST", "/v1/jobs", nil, `"` + strings.Repeat("x", maxBody-1) + `"`, 413, tooLarge},
		{"too large text", "POST", "/v1/jobs", kind("text/plain"), strings.Repeat("x", maxBody+1), 413, tooLarge},
		{"a media type comes before the size", "POST", "/v1/jobs", kind("text/html"), strings.Repeat("x", maxBody+1), 415, mediaType},
	} {
		t.Run(tt.name, func(t *testing.T) {
			a := s.do(tt.method, tt.target, tt.body, tt.header)
			a.want(t, tt.status, tt.want)
			if got := a.header.Get("x-request-id"); got != "test-trace" {
				t.Errorf("x-request-id %q, want test-trace", got)
			}
			if got := a.header.Get("x-ratelimit-limit"); got != "" {
				t.Errorf("x-ratelimit-limit %q on an error below the application, want none", got)
			}
		})
	}
}

func TestBodyOfExactlyTheLimit(t *testing.T) {
	s := newStack(t, nil)
	filler := strings.Repeat(" ", maxBody-len(helloPython))
	if a := s.post("/v1/jobs", helloPython+filler); a.status != 202 {
		t.Errorf("a body of %d bytes: %d %s, want 202", maxBody, a.status, a.raw)
	}
}

// readPost reads the body of r as takeBody does.
func readPost(r *http.Request) (decode.Body, *frameworkError) {
	kind, size, wrong := bodyHeader(r)
	if wrong != nil {
		return decode.Body{}, wrong
	}
	c := &call{r: r, held: newBudget(tenantBodies).reservation("someone")}
	return c.readBody((&Server{}).newPace(httptest.NewRecorder()), kind, size)
}

func TestChunkedBodyIsBounded(t *testing.T) {
	r := httptest.NewRequest("POST", "/v1/jobs", strings.NewReader(strings.Repeat(" ", maxBody+1)))
	r.ContentLength = -1
	r.Header.Set("Content-Type", "application/json")
	if _, wrong := readPost(r); wrong != errTooLarge {
		t.Errorf("a body of unknown length and %d bytes: %+v, want %+v", maxBody+1, wrong, errTooLarge)
	}
}

func TestBodyThatEndsEarly(t *testing.T) {
	r := httptest.NewRequest("POST", "/v1/jobs", iotest.ErrReader(io.ErrUnexpectedEOF))
	r.Header.Set("Content-Type", "application/json")
	if _, wrong := readPost(r); wrong != errLength {
		t.Errorf("a body that ends early: %+v, want %+v", wrong, errLength)
	}
}

func TestJSONWithByteOrderMarkAndCharset(t *testing.T) {
	s := newStack(t, nil)
	a := s.do("POST", "/v1/jobs", "\ufeff"+helloPython, http.Header{"Content-Type": {"Application/JSON; charset=utf-8"}})
	if a.status != 202 {
		t.Errorf("%d %s, want 202", a.status, a.raw)
	}
}

// HEAD works for every GET route: the headers of GET, and no body.
func TestHead(t *testing.T) {
	s := newStack(t, nil)
	id := s.submit(strings.Replace(helloPython, "{", `{"webhook":{"url":"https://example.com","secret":"0123456789abcdef"},`, 1))
	for _, rt := range s.server.routes() {
		if rt.method != "GET" || strings.HasSuffix(rt.path, "/events") || rt.path == "/metrics" || strings.HasPrefix(rt.path, "/docs") || strings.HasPrefix(rt.path, "/ui/") || rt.path == "/admin/observability" { // see TestEventsHead, TestMetrics, TestDocs
			continue
		}
		target := strings.ReplaceAll(rt.path, ":jobId", id)
		get, head := s.do("GET", target, "", nil), s.do("HEAD", target, "", nil)
		if head.status != 200 || head.raw != "" {
			t.Errorf("HEAD %s = %d with %d bytes, want 200 without body", target, head.status, len(head.raw))
		}
		if g, h := get.header.Get("Content-Type"), head.header.Get("Content-Type"); g != h {
			t.Errorf("HEAD %s: content-type %q, GET has %q", target, h, g)
		}
		if head.header.Get("Content-Length") == "" {
			t.Errorf("HEAD %s: no content-length", target)
		}
	}
}

// A fault of ours says nothing about its cause.
func TestPanicIsAGenericFault(t *testing.T) {
	s := newStack(t, nil)
	h := s.server.serve(route{"GET", "/boom", anyone, func(*call) { panic("secret detail") }})
	s.server.router.Handle("GET", "/boom", h)
	a := s.get("/boom")
	a.want(t, 500, `{"statusCode":500,"error":"Internal Server Error","message":"internal error; the log has it under this x-request-id"}`)
	if log := s.log.String(); !strings.Contains(log, "secret detail") || !strings.Contains(log, "request_completed") {
		t.Errorf("the log has no cause or no request line:\n%s", log)
	}
}
