// SPDX-License-Identifier: Apache-2.0

package api

import (
	"net/http"
	"strings"
	"testing"
)

func TestCORS(t *testing.T) {
	s := newStack(t, func(o *Options) { o.Origins = []string{"https://app.example.com", "https://*.preview.example"} })
	for _, tt := range []struct {
		origin  string
		allowed bool
	}{
		{"https://app.example.com", true}, {"http://app.example.com", false}, {"https://app.example.com:8443", false},
		{"https://a.preview.example", true}, {"https://a.b.preview.example", true}, {"http://a.preview.example", false},
		{"https://preview.example", false}, {"https://.preview.example", false}, {"https://evilpreview.example", false},
		{"https://a.preview.example.evil.com", false}, {"null", false}, {"", false},
	} {
		t.Run(tt.origin, func(t *testing.T) {
			origin := http.Header{"Origin": {tt.origin}}
			preflight := http.Header{"Origin": {tt.origin}, "Access-Control-Request-Method": {"POST"}}
			get, pre := s.do("GET", "/health", "", origin), s.do("OPTIONS", "/v1/jobs", "", preflight)
			for _, a := range []answer{get, pre} {
				if a.header.Get("vary") != "Origin" {
					t.Errorf("vary %q, want Origin", a.header.Get("vary"))
				}
				want := ""
				if tt.allowed {
					want = tt.origin
				}
				if got := a.header.Get("access-control-allow-origin"); got != want {
					t.Errorf("access-control-allow-origin %q, want %q", got, want)
				}
			}
			if get.status != 200 {
				t.Errorf("GET: %d, want 200 whatever the origin", get.status)
			}
			if !tt.allowed {
				pre.want(t, 404, `{"message":"Route OPTIONS:/v1/jobs not found","error":"Not Found","statusCode":404}`)
				return
			}
			if got := get.header.Get("access-control-expose-headers"); got != "x-request-id, x-ratelimit-limit, x-ratelimit-remaining, x-ratelimit-reset, retry-after, idempotent-replayed" {
				t.Errorf("expose %q", got)
			}
			h := pre.header
			if pre.status != 204 || pre.raw != "" || h.Get("access-control-allow-methods") != "GET, POST, DELETE, OPTIONS" ||
				h.Get("access-control-allow-headers") != "authorization, content-type, x-api-key, x-request-id, idempotency-key, last-event-id" ||
				h.Get("access-control-max-age") != "600" || h.Get("access-control-allow-credentials") != "" || h.Get("x-request-id") != "" {
				t.Errorf("preflight: %d %v", pre.status, h)
			}
		})
	}
	// An answer to a page must be readable when it is an error too.
	a := s.do("GET", "/v1/jobs", "", http.Header{"Origin": {"https://app.example.com"}, "X-Api-Key": nil})
	if a.status != 401 || a.header.Get("access-control-allow-origin") == "" {
		t.Errorf("a 401: %d %v", a.status, a.header)
	}
}

func TestParseOriginsRefuses(t *testing.T) {
	for _, bad := range []string{"", "*", "example.com", "ftp://example.com", "https://", "https://*", "https://*.", "https://a.*.com",
		"https://*example.com", "https://example.com/", "https://a b"} {
		if _, err := parseOrigins([]string{bad}); err == nil || !strings.Contains(err.Error(), bad) {
			t.Errorf("parseOrigins(%q) = %v, want an error that names it", bad, err)
		}
	}
}
