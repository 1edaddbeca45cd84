// SPDX-License-Identifier: Apache-2.0

package task

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	jitter "math/rand/v2"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"time"

	"github.com/ccee-dev/ccee/job"
)

// ErrVoid means that the api refuses the token for good: another task has the job, or it has ended. The job must be ended.
var ErrVoid = errors.New("the token is void")

// The bounds of one exchange with the api.
const (
	requestTimeout = 20 * time.Second  // for a request with a small answer
	resultTimeout  = 150 * time.Second // for a result, which may be megabytes
	maxPayload     = 16 << 20          // bytes of a job as JSON, which escapes nearly every byte of a source of 1 MB
	maxAnswer      = 64 << 10          // bytes of another answer
	firstPause     = 200 * time.Millisecond
	lastPause      = 5 * time.Second
)

// Exchange talks to the api about one job.
type Exchange struct {
	base, token, nonce string
	http               *http.Client
}

// NewExchange returns the exchange with the api at base, an https URL; http is for loopback addresses alone. roots are the certificate
// authorities that are believed, nil for the system's.
func NewExchange(base, token string, roots *x509.CertPool) (*Exchange, error) {
	if err := CheckURL(base); err != nil {
		return nil, err
	}
	if token == "" {
		return nil, errors.New("there is no token")
	}
	return &Exchange{base: strings.TrimSuffix(base, "/"), token: token, nonce: rand.Text(), http: &http.Client{
		Transport: &http.Transport{
			DialContext:         (&net.Dialer{Timeout: 10 * time.Second}).DialContext,
			TLSClientConfig:     &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12},
			TLSHandshakeTimeout: 10 * time.Second,
			ForceAttemptHTTP2:   true,
		},
		// A redirect would send the token somewhere else.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}, nil
}

// CheckURL refuses a URL of the api to which a task would not send its token.
func CheckURL(base string) error {
	u, err := url.Parse(base)
	switch {
	case err != nil || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "":
		return errors.New("the api's URL must be like https://HOST[:PORT][/PATH]")
	case u.Scheme != "https" && !(u.Scheme == "http" && loopback(u.Hostname())):
		return fmt.Errorf("the api's URL has the scheme %q: it must be https, as the job and its token are secrets", u.Scheme)
	}
	return nil
}

func loopback(host string) bool {
	a, err := netip.ParseAddr(host)
	return err == nil && a.IsLoopback()
}

// Take returns the job. It tries again until ctx ends, as the first calls of a task come while its network comes up.
func (e *Exchange) Take(ctx context.Context) (job.Spec, error) {
	b, err := e.insist(ctx, "/v1/task/payload", nil, requestTimeout, maxPayload)
	if err != nil {
		return job.Spec{}, err
	}
	return decodeSpec(b)
}

// decodeSpec reads a job that the api gave.
func decodeSpec(b []byte) (job.Spec, error) {
	var spec job.Spec
	if err := json.Unmarshal(b, &spec); err != nil {
		return spec, fmt.Errorf("the api gave no job: %w", err)
	}
	if err := spec.Validate(); err != nil {
		return spec, fmt.Errorf("the api gave a job that is none: %w", err)
	}
	return spec, nil
}

// Events reports on the running job, once. cancelled asks to end it.
func (e *Exchange) Events(ctx context.Context, events []job.Event) (cancelled bool, err error) {
	body, err := json.Marshal(job.Report{Events: events})
	if err != nil {
		return false, fmt.Errorf("encode events: %w", err)
	}
	b, err := e.post(ctx, "/v1/task/events", body, requestTimeout, maxAnswer)
	if err != nil {
		return false, err
	}
	return decodeAnswer(b)
}

// decodeAnswer reads the answer to a report.
func decodeAnswer(b []byte) (cancelled bool, err error) {
	var a job.ReportAnswer
	if err := json.Unmarshal(b, &a); err != nil {
		return false, fmt.Errorf("the api's answer can't be read: %w", err)
	}
	return a.Cancelled, nil
}

// End reports how the job ended. It tries again until ctx ends.
func (e *Exchange) End(ctx context.Context, r job.Report) error {
	body, err := json.Marshal(r)
	if err != nil {
		return fmt.Errorf("encode the end of the job: %w", err)
	}
	_, err = e.insist(ctx, "/v1/task/result", body, resultTimeout, maxAnswer)
	return err
}

// insist posts again and again until there is an answer, the token is void, or ctx ends.
func (e *Exchange) insist(ctx context.Context, path string, body []byte, timeout time.Duration, most int64) ([]byte, error) {
	pause := firstPause
	for {
		b, err := e.post(ctx, path, body, timeout, most)
		if err == nil || errors.Is(err, ErrVoid) || errors.Is(err, errRefused) {
			return b, err
		}
		timer := time.NewTimer(pause/2 + jitter.N(pause/2)) // many tasks must not come in step
		pause = min(2*pause, lastPause)
		select {
		case <-ctx.Done():
			timer.Stop()
			return nil, fmt.Errorf("%w: %w", context.Cause(ctx), err)
		case <-timer.C:
		}
	}
}

// errRefused means that the api will never take this request.
var errRefused = errors.New("the api refuses the request")

func (e *Exchange) post(ctx context.Context, path string, body []byte, timeout time.Duration, most int64) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, e.base+path, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Authorization", "Bearer "+e.token)
	req.Header.Set(job.NonceHeader, e.nonce)
	req.Header.Set("Content-Type", "application/json")
	resp, err := e.http.Do(req)
	if err != nil {
		return nil, fmt.Errorf("ask the api: %w", err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(io.LimitReader(resp.Body, most+1))
	switch {
	case resp.StatusCode == http.StatusUnauthorized, resp.StatusCode == http.StatusConflict, resp.StatusCode == http.StatusGone:
		return nil, fmt.Errorf("%w: HTTP %d of %s", ErrVoid, resp.StatusCode, path)
	case resp.StatusCode == http.StatusBadRequest, resp.StatusCode == http.StatusRequestEntityTooLarge:
		return nil, fmt.Errorf("%w: HTTP %d of %s: %.200s", errRefused, resp.StatusCode, path, b)
	case resp.StatusCode != http.StatusOK:
		return nil, fmt.Errorf("the api answers HTTP %d to %s", resp.StatusCode, path)
	case err != nil:
		return nil, fmt.Errorf("read the api's answer: %w", err)
	case int64(len(b)) > most:
		return nil, fmt.Errorf("%w: its answer has more than %d bytes", errRefused, most)
	}
	return b, nil
}
