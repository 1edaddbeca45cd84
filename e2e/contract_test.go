// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"bytes"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/ccee-dev/ccee/api/contract"
	"github.com/ccee-dev/ccee/e2e/patience"
)

// described is the contract.
var described = sync.OnceValues(func() (*contract.Contract, error) { return contract.Load("../api/openapi.yaml") })

// broken holds the answers that break the contract; TestMain fails for them.
var broken struct {
	sync.Mutex
	answers []string
}

// held is a transport whose answers are held to the contract. Tests reach the API through it alone.
type held struct{ http.RoundTripper }

func (h held) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := h.RoundTripper.RoundTrip(r)
	if err != nil || strings.HasPrefix(resp.Header.Get("Content-Type"), "text/event-stream") {
		return resp, err
	}
	body, err := io.ReadAll(resp.Body)
	resp.Body.Close()
	resp.Body = io.NopCloser(bytes.NewReader(body))
	if err != nil {
		return resp, err
	}
	c, err := described()
	if err == nil {
		err = c.Check(contract.Answer{Method: r.Method, Path: r.URL.Path, Status: resp.StatusCode, Header: resp.Header, Body: body})
	}
	if err != nil {
		broken.Lock()
		defer broken.Unlock()
		broken.answers = append(broken.answers, err.Error())
	}
	return resp, nil
}

// rest is the client of the API.
var rest = http.Client{Transport: held{http.DefaultTransport}, Timeout: patience.Long()}

// What the contract does not say is found.
func TestContractIsHeld(t *testing.T) {
	c, err := described()
	if err != nil {
		t.Fatal(err)
	}
	const found, full = `{"error":"not_found","traceId":"t"}`, `{"error":"too_many_streams","traceId":"t"}`
	head := func(pairs ...string) http.Header {
		h := http.Header{"Content-Type": {"application/json; charset=utf-8"}, "X-Request-Id": {"trace-1234"}}
		for i := 0; i < len(pairs); i += 2 {
			h.Set(pairs[i], pairs[i+1])
		}
		return h
	}
	for name, tt := range map[string]struct {
		method, path string
		status       int
		header       http.Header
		body         string
		ok           bool
	}{
		"a refusal":                  {"GET", "/v1/jobs/1", 404, head("X-Ratelimit-Limit", "9"), found, true},
		"another status":             {"GET", "/v1/jobs/1", 402, head(), found, false},
		"another type":               {"GET", "/v1/jobs/1", 404, head("Content-Type", "text/html"), found, false},
		"another member":             {"GET", "/v1/jobs/1", 404, head(), `{"error":"not_found","traceId":"t","x":1}`, false},
		"no JSON":                    {"GET", "/v1/jobs/1", 404, head(), "oops", false},
		"no trace id":                {"GET", "/v1/jobs/1", 404, head("X-Request-Id", ""), found, false},
		"a header that is no number": {"GET", "/v1/jobs/1/events", 429, head("Retry-After", "soon"), full, false},
		"a header that is one":       {"GET", "/v1/jobs/1/events", 429, head("Retry-After", "5"), full, true},
		"a header of others":         {"GET", "/v1/jobs/1", 404, head("Retry-After", "5"), found, false},
		"no such operation":          {"GET", "/v2", 200, head(), "{}", false},
		"no such operation, 404":     {"PUT", "/v1/jobs", 404, head(), `{"message":"Route PUT:/v1/jobs not found","error":"Not Found","statusCode":404}`, true},
	} {
		err := c.Check(contract.Answer{Method: tt.method, Path: tt.path, Status: tt.status, Header: tt.header, Body: []byte(tt.body)})
		if (err == nil) != tt.ok {
			t.Errorf("%s: %v, want ok %v", name, err, tt.ok)
		}
	}
}
