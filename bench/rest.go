// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"

	"github.com/ccee-dev/ccee/job"
)

// rest is a client of the REST API.
type rest struct {
	url    string
	client http.Client
}

func newREST(url string) *rest {
	// The default keeps two connections a host; more clients than that would time the making of connections.
	return &rest{url: url, client: http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 64}}}
}

func (c *rest) ready(ctx context.Context) error {
	status, body, err := c.get(ctx, "/ready")
	if err == nil && !bytes.Contains(body, []byte(`"canRun":true`)) {
		err = fmt.Errorf("GET /ready: HTTP %d: %s", status, body)
	}
	return err
}

// The keys of the tenants that startUp makes.
const (
	benchKey     = "bench"
	neighbourKey = "neighbour"
)

// submit runs a hello and waits for its result.
func (c *rest) submit(ctx context.Context, p job.Spec) error {
	status, body, err := c.post(ctx, benchKey, "?waitMs=30000", p)
	if err == nil && !bytes.Contains(body, []byte(`"stdout":"hello\n"`)) {
		err = fmt.Errorf("HTTP %d: %s", status, body)
	}
	return err
}

// post sends a job.
func (c *rest) post(ctx context.Context, key, query string, p job.Spec) (status int, body []byte, err error) {
	payload, err := json.Marshal(map[string]string{"language": p.Language, "sourceCode": p.Source})
	if err != nil {
		return 0, nil, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.url+"/v1/jobs"+query, bytes.NewReader(payload))
	if err != nil {
		return 0, nil, err
	}
	req.Header.Set("x-api-key", key)
	req.Header.Set("content-type", "application/json")
	resp, err := c.client.Do(req)
	if err != nil {
		return 0, nil, err
	}
	defer resp.Body.Close()
	body, err = io.ReadAll(resp.Body)
	return resp.StatusCode, body, err
}

// get reads a page.
func (c *rest) get(ctx context.Context, path string) (status int, body []byte, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, c.url+path, nil)
	if err != nil {
		return 0, nil, err
	}
	resp, err := c.client.Do(req)
	if err != nil {
		return 0, nil, err
	}
	defer resp.Body.Close()
	body, err = io.ReadAll(resp.Body)
	return resp.StatusCode, body, err
}
