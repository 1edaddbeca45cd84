// SPDX-License-Identifier: Apache-2.0

package client

import (
	"bufio"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
)

// Output is a piece of what a job writes.
type Output struct {
	Stream  string // stdout or stderr
	Step    string // compile or run
	Attempt int
	Skipped int64 // bytes before it that were not kept
	Data    []byte
}

// maxEvent bounds a line of a stream of events, in bytes.
const maxEvent = 8 << 20

// Follow calls on for each piece of output as the job writes it, and returns the job's status at its end. It resumes after a lost
// connection. An error that on returns ends it.
func (c *Client) Follow(ctx context.Context, id string, on func(Output) error) (status string, err error) {
	last, pause := "", c.pause
	for attempt := 1; ; attempt++ {
		before := last
		status, err = c.follow(ctx, id, &last, on)
		var broken *brokenStream
		if !errors.As(err, &broken) {
			return status, err
		}
		if last != before { // something came: it is not the same fault again and again
			attempt, pause = 1, c.pause
		}
		if attempt >= maxAttempts || !sleep(ctx, pause) {
			return "", err
		}
		pause *= 2
	}
}

// brokenStream is the fault of a stream that ended before its job.
type brokenStream struct{ error }

func (b *brokenStream) Unwrap() error { return b.error }

// follow reads one stream. last is the id of the last event that came.
func (c *Client) follow(ctx context.Context, id string, last *string, on func(Output) error) (string, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	r := request{method: http.MethodGet, path: "/v1/jobs/" + url.PathEscape(id) + "/events"}
	if *last != "" {
		r.query = url.Values{"lastEventId": {*last}}
	}
	resp, err := c.send(ctx, r, nil)
	if err != nil {
		return "", &brokenStream{err}
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		body, _ := io.ReadAll(io.LimitReader(resp.Body, maxBody))
		if e := c.refusal(r, resp, body); resp.StatusCode != http.StatusServiceUnavailable {
			return "", e
		} else {
			return "", &brokenStream{e}
		}
	}
	lines := bufio.NewScanner(resp.Body)
	lines.Buffer(nil, maxEvent)
	var name, eventID, data string
	for lines.Scan() {
		field, value, _ := strings.Cut(lines.Text(), ": ")
		switch field {
		case "event":
			name = value
		case "id":
			eventID = value
		case "data":
			data = value
		case "":
			if done, status, err := deliver(name, data, on); done || err != nil {
				return status, err
			}
			if eventID != "" {
				*last = eventID
			}
			name, eventID, data = "", "", ""
		}
	}
	err = lines.Err()
	if err == nil {
		err = io.ErrUnexpectedEOF
	}
	return "", &brokenStream{fmt.Errorf("the events of job %s: %w", id, err)}
}

// deliver passes one event on; done is true for the last one.
func deliver(name, data string, on func(Output) error) (done bool, status string, err error) {
	var d struct {
		Step, Text, Base64, Status, Error string
		Attempt                           int
		Skipped                           int64
	}
	if name == "" {
		return false, "", nil
	}
	if err := json.Unmarshal([]byte(data), &d); err != nil && name != "job" {
		return false, "", fmt.Errorf("the event %s can't be read: %w", name, err)
	}
	switch name {
	case "done":
		return true, d.Status, nil
	case "error":
		return false, "", fmt.Errorf("the stream ended: %s", d.Error)
	case "stdout", "stderr":
		out := Output{Stream: name, Step: d.Step, Attempt: d.Attempt, Skipped: d.Skipped, Data: []byte(d.Text)}
		if d.Base64 != "" {
			if out.Data, err = base64.StdEncoding.DecodeString(d.Base64); err != nil {
				return false, "", fmt.Errorf("the event %s can't be read: %w", name, err)
			}
		}
		return false, "", on(out)
	}
	return false, "", nil
}
