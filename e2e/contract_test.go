package e2e

import (
	"bytes"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"

	"ccee/api/contract"
	"ccee/patience"
)

// described is the contract.
var described = sync.OnceValues(func() (*contract.Contract, error) { return contract.Load("../api/openapi.yaml") })

// broken are answers that were not what the contract says; TestMain fails for them.
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
		err = c.Check(contract.Answer{Method: r.Method, Path: r.URL.Path, Status: resp.StatusCode, ContentType: resp.Header.Get("Content-Type"), Body: body})
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
	const json, found = "application/json; charset=utf-8", `{"error":"not_found","traceId":"t"}`
	for name, tt := range map[string]struct {
		answer contract.Answer
		ok     bool
	}{
		"a refusal":              {contract.Answer{Method: "GET", Path: "/v1/jobs/1", Status: 404, ContentType: json, Body: []byte(found)}, true},
		"another status":         {contract.Answer{Method: "GET", Path: "/v1/jobs/1", Status: 402, ContentType: json, Body: []byte(found)}, false},
		"another type":           {contract.Answer{Method: "GET", Path: "/v1/jobs/1", Status: 404, ContentType: "text/html", Body: []byte(found)}, false},
		"another member":         {contract.Answer{Method: "GET", Path: "/v1/jobs/1", Status: 404, ContentType: json, Body: []byte(`{"error":"not_found","traceId":"t","x":1}`)}, false},
		"no JSON":                {contract.Answer{Method: "GET", Path: "/v1/jobs/1", Status: 404, ContentType: json, Body: []byte("oops")}, false},
		"no such operation":      {contract.Answer{Method: "GET", Path: "/v2", Status: 200, ContentType: json, Body: []byte("{}")}, false},
		"no such operation, 404": {contract.Answer{Method: "PUT", Path: "/v1/jobs", Status: 404, ContentType: json, Body: []byte(`{"message":"Route PUT:/v1/jobs not found","error":"Not Found","statusCode":404}`)}, true},
	} {
		if err := c.Check(tt.answer); (err == nil) != tt.ok {
			t.Errorf("%s: %v, want ok %v", name, err, tt.ok)
		}
	}
}
