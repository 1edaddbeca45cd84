// SPDX-License-Identifier: Apache-2.0

package api

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// What can't be parsed as a request is answered in the form of the framework, with an x-request-id, as Fastify 5 does.
func TestUnparsedRequests(t *testing.T) {
	s := newStack(t, nil)
	address := strings.TrimPrefix(openOn(t, s), "http://")
	for _, tt := range []struct {
		name, request string
		status        int
		trace, want   string
	}{
		{"a path that is no URL", "GET /v1/jobs/%zz HTTP/1.1\r\nHost: x\r\nX-Request-Id: my trace!!id\r\n\r\n", 400, "my_trace__id",
			`{"statusCode":400,"code":"FST_ERR_BAD_URL","error":"Bad Request","message":"'/v1/jobs/%zz' is not a valid url component"}`},
		{"half an escape", "GET /% HTTP/1.1\r\nHost: x\r\n\r\n", 400, "",
			`{"statusCode":400,"code":"FST_ERR_BAD_URL","error":"Bad Request","message":"'/%' is not a valid url component"}`},
		{"after a good one", "GET /health HTTP/1.1\r\nHost: x\r\n\r\nGET /%zz HTTP/1.1\r\nHost: x\r\nx-request-id: trace-1234\r\n\r\n", 400, "",
			`{"statusCode":400,"error":"Bad Request","message":"Client Error"}`},
		{"no request", "hello\r\n\r\n", 400, "", `{"statusCode":400,"error":"Bad Request","message":"Client Error"}`},
		{"no host", "GET /health HTTP/1.1\r\nX-Request-Id: trace-1234\r\n\r\n", 400, "trace-1234", `{"statusCode":400,"error":"Bad Request","message":"Client Error"}`},
		{"a header with a space", "GET /health HTTP/1.1\r\nHost: x\r\nX y: z\r\n\r\n", 400, "", `{"statusCode":400,"error":"Bad Request","message":"Client Error"}`},
		{"too much of a header", "GET /health HTTP/1.1\r\nHost: x\r\nX-Long: " + strings.Repeat("x", maxHeader+5000) + "\r\n\r\n", 431, "",
			`{"statusCode":431,"error":"Request Header Fields Too Large","message":"Exceeded maximum allowed HTTP header size"}`},
		{"an unknown transfer coding", "POST /v1/jobs HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip\r\n\r\n", 501, "",
			`{"statusCode":501,"error":"Not Implemented","message":"Not Implemented"}`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c, err := net.Dial("tcp", address)
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			if _, err := io.WriteString(c, tt.request); err != nil {
				t.Fatal(err)
			}
			in := bufio.NewReader(c)
			if strings.Contains(tt.request, "/health HTTP/1.1\r\nHost: x\r\n\r\n") { // the good one
				if resp, body := response(t, in); resp.StatusCode != 200 {
					t.Fatalf("%d %s", resp.StatusCode, body)
				}
			}
			resp, body := response(t, in)
			var got, want any
			if err := json.Unmarshal(body, &got); err != nil {
				t.Fatalf("%d %q: %v", resp.StatusCode, body, err)
			}
			if err := json.Unmarshal([]byte(tt.want), &want); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, got); diff != "" || resp.StatusCode != tt.status || !resp.Close {
				t.Errorf("%d, closed %v, body (-want +got):\n%s", resp.StatusCode, resp.Close, diff)
			}
			trace := resp.Header.Get("X-Request-Id")
			if len(trace) < minTrace || tt.trace != "" && trace != tt.trace {
				t.Errorf("x-request-id %q, want %q", trace, tt.trace)
			}
			if kind := resp.Header.Get("Content-Type"); kind != "application/json; charset=utf-8" {
				t.Errorf("content-type %q", kind)
			}
		})
	}
}

func response(t *testing.T, in *bufio.Reader) (*http.Response, []byte) {
	t.Helper()
	resp, err := http.ReadResponse(in, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp, body
}

// A slash within an id is not one between two path elements.
func TestEncodedSlash(t *testing.T) {
	s := newStack(t, nil)
	const notFound = `{"error":"not_found","traceId":"test-trace"}`
	route := func(target string) string {
		return fmt.Sprintf(`{"message":"Route GET:%s not found","error":"Not Found","statusCode":404}`, target)
	}
	for target, want := range map[string]string{
		"/v1/jobs/x%2fy": notFound, "/v1/jobs/x%2Fy": notFound, "/executions/%2F/logs": notFound, "/v1/jobs/a%252Fb": notFound, "/v1/jobs/%25": notFound,
		"/v1/jobs/x%2fevents": notFound, "/v1/%6a%6Fbs/x": notFound, "/v1/jobs/a%2fb%20c%C3%A9": notFound,
		"/v1%2fjobs": route("/v1%2fjobs"), "/v1/jobs/a/b": route("/v1/jobs/a/b"), "/v1/jobs/a%2f/b": route("/v1/jobs/a%2f/b"),
	} {
		s.get(target).want(t, 404, want)
	}
	for target, want := range map[string]string{
		"/executions/abc%20d%2Fe/events": "/v1/jobs/abc%20d%2Fe/events", "/executions/a%252Fb/events": "/v1/jobs/a%252Fb/events", "/executions/%2f/events?a=%2f": "/v1/jobs/%2F/events?a=%2f",
	} {
		if a := s.get(target); a.status != 307 || a.header.Get("Location") != want {
			t.Errorf("%s: %d to %q, want 307 to %q", target, a.status, a.header.Get("Location"), want)
		}
	}
	s.get("/v1/jobs/%20%20").want(t, 400, `{"error":"validation_error","reason":"missing_job_id","traceId":"test-trace"}`)
}
