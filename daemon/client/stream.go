// SPDX-License-Identifier: Apache-2.0

package client

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"

	"github.com/ccee-dev/ccee/job"
)

// Stream runs spec and calls each with its events as they happen, the result last. If each returns an error, the job is
// killed and Stream returns that error.
func (c *Client) Stream(ctx context.Context, spec job.Spec, each func(job.Event) error) (job.Result, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	resp, err := c.send(ctx, "POST", "/v1/run", "application/x-ndjson", spec)
	if err != nil {
		return job.Result{}, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return job.Result{}, c.refusal(ctx, resp)
	}
	res, err := decodeEvents(resp.Body, each)
	var broken brokenStream
	if errors.As(err, &broken) {
		return job.Result{}, c.broken(ctx, broken.error)
	}
	return res, err
}

// brokenStream is the error of a stream that ended before the event that ends the job.
type brokenStream struct{ error }

// decodeEvents reads NDJSON until the event that ends a job. It then reads to the end of the stream, so that
// the connection can be reused.
func decodeEvents(r io.Reader, each func(job.Event) error) (job.Result, error) {
	lines := bufio.NewScanner(r)
	lines.Buffer(make([]byte, 0, 64<<10), maxBody)
	for lines.Scan() {
		if len(bytes.TrimSpace(lines.Bytes())) == 0 {
			continue
		}
		var ev job.Event
		if err := json.Unmarshal(lines.Bytes(), &ev); err != nil {
			return job.Result{}, job.Errorf(job.EInternal, "the daemon sent a line that is no event: %v", err)
		}
		switch {
		case ev.Type == job.EventError && ev.Error != nil:
			return job.Result{}, ev.Error
		case ev.Type == job.EventResult && ev.Result != nil:
			if err := each(ev); err != nil {
				return job.Result{}, err
			}
			_, _ = io.Copy(io.Discard, io.LimitReader(r, 64))
			return *ev.Result, nil
		}
		if err := each(ev); err != nil {
			return job.Result{}, err
		}
	}
	err := lines.Err()
	if err == nil {
		err = errors.New("the stream ended before the job's result")
	}
	return job.Result{}, brokenStream{err}
}
