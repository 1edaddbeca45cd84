package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"

	"ccee/api/job"
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
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, c.url+"/ready", nil)
	if err != nil {
		return err
	}
	resp, err := c.client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("GET /ready: %s", resp.Status)
	}
	return nil
}

// submit sends a job and reads its result.
func (c *rest) submit(ctx context.Context, p job.Spec) error {
	payload, err := json.Marshal(map[string]string{"language": p.Language, "sourceCode": p.Source})
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.url+"/v1/jobs?waitMs=30000", bytes.NewReader(payload))
	if err != nil {
		return err
	}
	req.Header.Set("x-api-key", "bench")
	req.Header.Set("content-type", "application/json")
	resp, err := c.client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err == nil && !bytes.Contains(body, []byte(`"stdout":"hello\n"`)) {
		err = fmt.Errorf("%s: %s", resp.Status, body)
	}
	return err
}
