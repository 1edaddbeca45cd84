// SPDX-License-Identifier: Apache-2.0

package api

import (
	"net/http"
	"regexp"
	"strings"
	"testing"
)

var uuidV4 = regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`)

func TestTraceID(t *testing.T) {
	long := strings.Repeat("x", 200)
	for _, tt := range []struct {
		in   []string
		want string // "" for a UUID v4
	}{
		{nil, ""}, {[]string{""}, ""}, {[]string{"short"}, ""}, {[]string{"1234567"}, ""}, {[]string{"12345678"}, "12345678"},
		{[]string{"my trace!!id"}, "my_trace__id"}, {[]string{"  a/b:c.d_e-f  "}, "a/b:c.d_e-f"},
		{[]string{"first-value", "second-value"}, "first-value"}, {[]string{long}, long[:128]},
		{[]string{"traceé-id"}, "trace_-id"}, {[]string{"new\r\nline-id"}, "new__line-id"},
	} {
		got := traceID(http.Header{"X-Request-Id": tt.in})
		if got != tt.want && !(tt.want == "" && uuidV4.MatchString(got)) {
			t.Errorf("traceID(%q) = %q, want %q", tt.in, got, tt.want)
		}
	}
}

// Every kind of answer has the id in its header, and those of the application in their bodies.
func TestTraceIDInAnswers(t *testing.T) {
	s := newStack(t, nil)
	id := s.submit(helloPython)
	header := http.Header{"X-Request-Id": {"my trace!!id"}}
	for _, tt := range []struct {
		method, target, body string
		inBody               bool
	}{
		{"POST", "/v1/jobs", helloPython, true}, {"POST", "/v1/jobs", "{}", true}, {"GET", "/v1/jobs", "", true}, {"GET", "/executions/" + id + "/logs", "", true},
		{"GET", "/v1/jobs/nope", "", true}, {"GET", "/v1/runtimes", "", true}, {"GET", "/v1/quotas", "", true}, {"POST", "/v1/jobs/" + id + "/analyze", "", true},
		{"GET", "/v1/jobs/" + id, "", false}, // its body has the submission's
		{"GET", "/health", "", false}, {"GET", "/", "", false}, {"GET", "/nope", "", false}, {"POST", "/v1/jobs", "{", false}, {"GET", "/executions/x/events", "", false},
	} {
		a := s.do(tt.method, tt.target, tt.body, header)
		if got := a.header.Get("X-Request-Id"); got != "my_trace__id" {
			t.Errorf("%s %s: x-request-id %q, want my_trace__id", tt.method, tt.target, got)
		}
		if got := a.at("traceId") == "my_trace__id"; got != tt.inBody {
			t.Errorf("%s %s: traceId %v in the body", tt.method, tt.target, a.at("traceId"))
		}
	}
	if a := s.get("/v1/jobs/" + id); a.at("traceId") != "test-trace" {
		t.Errorf("the job has the trace id %v, want that of its submission", a.at("traceId"))
	}
}

// A job takes the trace of its request along, so that its worker's spans belong to it.
func TestTraceGoesAlong(t *testing.T) {
	s := newStack(t, nil)
	const parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
	for path, body := range map[string]string{"/v1/jobs": helloPython, "/v1/batch": `{"jobs":[` + helloPython + `]}`} {
		if a := s.do("POST", path, body, http.Header{"Traceparent": {parent}}); a.status/100 != 2 {
			t.Fatal(a.raw)
		}
		if got := claim(t, s.queue).Job.TraceParent; !strings.HasPrefix(got, parent[:36]) {
			t.Errorf("%s: the job has the trace %q, want that of %s", path, got, parent)
		}
	}
}
