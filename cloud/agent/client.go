// SPDX-License-Identifier: Apache-2.0

package agent

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"
)

const (
	requestTimeout = 5 * time.Second
	maxAnswer      = 1 << 20 // bytes; a task of ten containers with labels is a few KiB
)

// Client speaks with the agent of one task.
type Client struct {
	agent, metadata string
	http            *http.Client
}

// New returns a client of the agent whose addresses are in ECS_AGENT_URI and ECS_CONTAINER_METADATA_URI_V4; nil where both are empty, which
// is outside of ECS. With one of them alone, what needs the other one returns an error.
func New(agentURI, metadataURI string) (*Client, error) {
	if agentURI == "" && metadataURI == "" {
		return nil, nil
	}
	for name, uri := range map[string]string{"ECS_AGENT_URI": agentURI, "ECS_CONTAINER_METADATA_URI_V4": metadataURI} {
		u, err := url.Parse(uri)
		if uri != "" && (err != nil || u.Scheme != "http" || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "") {
			return nil, fmt.Errorf("%s is %.100q, which is no address of an ECS agent, http://HOST/PATH", name, uri)
		}
	}
	// The agent is on the host or beside it: a proxy would not reach it, and nothing there redirects.
	transport := &http.Transport{Proxy: nil, MaxIdleConns: 1, IdleConnTimeout: 10 * time.Second}
	return &Client{agent: agentURI, metadata: metadataURI, http: &http.Client{Transport: transport, Timeout: requestTimeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}}, nil
}

// errNoAddress is for a client of the other endpoint alone.
var errNoAddress = errors.New("ECS did not set its address")

// do sends a request and returns the answer's status and body.
func (c *Client) do(ctx context.Context, method, base, path string, body any) (status int, answer []byte, err error) {
	if base == "" {
		return 0, nil, errNoAddress
	}
	sent := new(bytes.Buffer)
	if body != nil {
		if err := json.NewEncoder(sent).Encode(body); err != nil {
			return 0, nil, err
		}
	}
	req, err := http.NewRequestWithContext(ctx, method, base+path, sent)
	if err != nil {
		return 0, nil, err
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return 0, nil, err
	}
	defer resp.Body.Close()
	answer, err = io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	switch {
	case err != nil:
		return resp.StatusCode, nil, err
	case len(answer) > maxAnswer:
		return resp.StatusCode, nil, fmt.Errorf("the answer has more than %d bytes", maxAnswer)
	}
	return resp.StatusCode, answer, nil
}
