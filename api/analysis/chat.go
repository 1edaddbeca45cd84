// SPDX-License-Identifier: Apache-2.0

package analysis

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// openAIURL is the provider's own server.
const openAIURL = "https://api.openai.com/v1"

// maxAnswer bounds the body of an answer, in bytes.
const maxAnswer = 1 << 20

// maxRedirects bounds the redirects of one request, as net/http does by itself.
const maxRedirects = 10

// chat is a client of the chat completions call of OpenAI's API (https://platform.openai.com/docs/api-reference/chat/create).
type chat struct {
	url     string // of the call
	key     string
	model   string
	timeout time.Duration // of one request with its answer; 0: the context's alone
	client  *http.Client
}

func newChat(o OpenAIOptions) (*chat, error) {
	base := o.BaseURL
	if base == "" {
		base = openAIURL
	}
	u, err := url.Parse(base)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return nil, errors.New("OPENAI_BASE_URL must be an http or https URL, such as " + openAIURL)
	}
	return &chat{
		url: u.JoinPath("chat/completions").String(), key: o.APIKey, model: o.Model, timeout: o.Timeout,
		client: &http.Client{CheckRedirect: sameOrigin},
	}, nil
}

// sameOrigin follows redirects to the server that was asked and to no other: the body is a tenant's program, and the header has the key.
func sameOrigin(r *http.Request, via []*http.Request) error {
	if first := via[0].URL; r.URL.Scheme != first.Scheme || r.URL.Host != first.Host {
		return fmt.Errorf("the model's server redirects to %s://%s", r.URL.Scheme, r.URL.Host)
	}
	if len(via) >= maxRedirects {
		return fmt.Errorf("more than %d redirects", maxRedirects)
	}
	return nil
}

// chatRequest is the body of the call.
type chatRequest struct {
	Model          string         `json:"model"`
	Temperature    float64        `json:"temperature"`
	Messages       []chatMessage  `json:"messages"`
	ResponseFormat responseFormat `json:"response_format"`
}

type chatMessage struct {
	Role    string `json:"role"`
	Content string `json:"content"`
}

type responseFormat struct {
	Type string `json:"type"`
}

// chatAnswer is the part of the answer that is read.
type chatAnswer struct {
	Choices []struct {
		Message struct {
			Content string `json:"content"`
		} `json:"message"`
	} `json:"choices"`
}

// statusError is an answer of the server with a status that is not 2xx. Its text leaves the body out, which may quote the key.
type statusError int

func (e statusError) Error() string {
	return strings.TrimSpace(fmt.Sprintf("OpenAI API error: %d %s", int(e), http.StatusText(int(e))))
}

// complete returns the content of the model's message for a prompt. It makes one request.
func (c *chat) complete(ctx context.Context, prompt string) (string, error) {
	if c.timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, c.timeout)
		defer cancel()
	}
	answer, err := c.post(ctx, chatRequest{
		Model: c.model, Temperature: 0.2, ResponseFormat: responseFormat{"json_object"},
		Messages: []chatMessage{{"system", instruction}, {"user", prompt}},
	})
	if err != nil {
		return "", err
	}
	if len(answer.Choices) == 0 || strings.TrimSpace(answer.Choices[0].Message.Content) == "" {
		return "", &Failure{"openai_empty_response", errors.New("the answer has no content")}
	}
	return answer.Choices[0].Message.Content, nil
}

func (c *chat) post(ctx context.Context, body chatRequest) (answer chatAnswer, err error) {
	data, err := json.Marshal(body)
	if err != nil {
		return answer, fmt.Errorf("encode the request: %w", err)
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, c.url, bytes.NewReader(data))
	if err != nil {
		return answer, err
	}
	r.Header.Set("Authorization", "Bearer "+c.key)
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Accept", "application/json")
	resp, err := c.client.Do(r)
	if err != nil {
		return answer, err
	}
	defer resp.Body.Close()
	if resp.StatusCode < 200 || resp.StatusCode > 299 {
		return answer, statusError(resp.StatusCode)
	}
	data, err = io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return answer, fmt.Errorf("read the answer: %w", err)
	}
	if err := json.Unmarshal(data, &answer); err != nil {
		return answer, fmt.Errorf("decode the answer: %w", err)
	}
	return answer, nil
}
