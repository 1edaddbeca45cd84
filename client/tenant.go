// SPDX-License-Identifier: Apache-2.0

package client

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"strconv"
)

// Quotas returns the tenant's limits and what is used of them, as the API writes them.
func (c *Client) Quotas(ctx context.Context) (json.RawMessage, error) {
	return c.call(ctx, request{method: http.MethodGet, path: "/v1/quotas"}, nil)
}

// Costs returns the costs of the last days, 1 to 30, as the API writes them.
func (c *Client) Costs(ctx context.Context, days int) (json.RawMessage, error) {
	return c.call(ctx, request{method: http.MethodGet, path: "/v1/costs", query: url.Values{"days": {strconv.Itoa(days)}}}, nil)
}

// Runtime is a language that can be submitted.
type Runtime struct {
	Language   string
	Available  bool // a worker can run it now; its jobs wait for one otherwise
	Aliases    []string
	SourceFile string
}

// Runtimes returns the languages that can be submitted.
func (c *Client) Runtimes(ctx context.Context) ([]Runtime, error) {
	var out struct{ Runtimes []Runtime }
	_, err := c.call(ctx, request{method: http.MethodGet, path: "/v1/runtimes"}, &out)
	return out.Runtimes, err
}
