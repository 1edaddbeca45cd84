// SPDX-License-Identifier: Apache-2.0

package api

import (
	"bytes"
	"compress/gzip"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
)

// RFC 9110, section 12.5.3, with its examples.
func TestTakesGzip(t *testing.T) {
	for accept, want := range map[string]bool{
		"": false, "gzip": true, "GZIP": true, "x-gzip": true, "br": false, "compress, gzip": true, "*": true, "identity": false,
		"gzip;q=0": false, "gzip;q=0.0": false, "gzip; q=0.001": true, "gzip ; Q=1": true, "*;q=0": false, "gzip;q=0, *": false, "*;q=0.5": true,
		"gzip;q=1.0, identity; q=0.5, *;q=0": true, "compress;q=0.5, gzip;q=1.0": true, "identity;q=1, gzip;q=0.5": false, "identity;q=0, gzip;q=0.5": true,
		"gzip;q=x": false, "gzipped": false, "deflate, br;q=1.0, *;q=0.1": true, ",, gzip ,": true,
	} {
		if got := takesGzip([]string{accept}); got != want {
			t.Errorf("takesGzip(%q) = %v, want %v", accept, got, want)
		}
	}
	if takesGzip(nil) || !takesGzip([]string{"br", "gzip"}) {
		t.Error("no header is taken for gzip, or the second line isn't read")
	}
}

// fetch asks as a client that takes gzip, or doesn't, and returns the answer's head and its body as it was sent.
func fetch(s *stack, method, target, accept string) (*http.Response, []byte) {
	r := httptest.NewRequest(method, target, nil)
	r.Header.Set("X-Api-Key", testKey)
	r.Header.Set("X-Request-Id", "test-trace")
	if accept != "" {
		r.Header.Set("Accept-Encoding", accept)
	}
	w := httptest.NewRecorder()
	s.server.ServeHTTP(w, r)
	return w.Result(), w.Body.Bytes()
}

func unzip(t *testing.T, data []byte) []byte {
	t.Helper()
	r, err := gzip.NewReader(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	plain, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return plain
}

func TestCompression(t *testing.T) {
	s := newStack(t, nil)
	id := s.submit(helloPython)
	if err := complete(claim(t, s.queue), exited(0, strings.Repeat("many words ", 1000))); err != nil {
		t.Fatal(err)
	}
	for _, target := range []string{"/v1/jobs", "/v1/jobs/" + id, "/executions/" + id + "/logs", "/openapi.json", "/ui/page.js"} {
		plainHead, plain := fetch(s, "GET", target, "gzip;q=0")
		head, data := fetch(s, "GET", target, "br, gzip;q=0.5")
		if plainHead.Header.Get("Content-Encoding") != "" || head.Header.Get("Content-Encoding") != "gzip" {
			t.Errorf("%s: content-encoding %q without gzip, %q with it", target, plainHead.Header.Get("Content-Encoding"), head.Header.Get("Content-Encoding"))
			continue
		}
		if got := unzip(t, data); !bytes.Equal(got, plain) || len(data) >= len(plain)/2 {
			t.Errorf("%s: %d bytes that say %d, want %d", target, len(data), len(got), len(plain))
		}
		for _, h := range []http.Header{plainHead.Header, head.Header} {
			if !strings.Contains(strings.Join(h["Vary"], ", "), "Accept-Encoding") {
				t.Errorf("%s: vary %q", target, h["Vary"])
			}
		}
		if got := head.Header.Get("Content-Length"); got != strconv.Itoa(len(data)) {
			t.Errorf("%s: content-length %s of %d bytes", target, got, len(data))
		}
		// HEAD has the headers of GET.
		h, none := fetch(s, "HEAD", target, "gzip")
		if len(none) != 0 || h.Header.Get("Content-Encoding") != "gzip" || h.Header.Get("Content-Length") != head.Header.Get("Content-Length") {
			t.Errorf("HEAD %s: %d bytes, %v", target, len(none), h.Header)
		}
	}
	for _, target := range []string{"/health", "/v1/quotas", "/docs", "/metrics"} {
		if head, _ := fetch(s, "GET", target, "gzip"); head.Header.Get("Content-Encoding") != "" {
			t.Errorf("%s: content-encoding %q", target, head.Header.Get("Content-Encoding"))
		}
	}
}

// Of one file the two codings have tags of their own (RFC 9110, section 8.8.3.3).
func TestTagsOfCodings(t *testing.T) {
	s := newStack(t, nil)
	plain, _ := fetch(s, "GET", "/openapi.json", "")
	zipped, _ := fetch(s, "GET", "/openapi.json", "gzip")
	one, other := plain.Header.Get("ETag"), zipped.Header.Get("ETag")
	if one == other || one == "" || other == "" {
		t.Fatalf("tags %s and %s", one, other)
	}
	for _, tt := range []struct {
		accept, asked string
		want          int
	}{
		{"", one, 304}, {"gzip", other, 304}, {"", other, 200}, {"gzip", one, 200},
		{"", `"x", ` + one, 304}, {"gzip", "W/" + other, 304}, {"", "*", 304}, {"", `"x"`, 200},
	} {
		r := httptest.NewRequest("GET", "/openapi.json", nil)
		r.Header.Set("Accept-Encoding", tt.accept)
		r.Header.Set("If-None-Match", tt.asked)
		w := httptest.NewRecorder()
		s.server.ServeHTTP(w, r)
		if w.Code != tt.want || !strings.Contains(strings.Join(w.Header()["Vary"], ","), "Accept-Encoding") {
			t.Errorf("%q with %s: %d, vary %q, want %d", tt.accept, tt.asked, w.Code, w.Header()["Vary"], tt.want)
		}
	}
}
