// SPDX-License-Identifier: Apache-2.0

// Package webhook notifies other servers of the end of jobs: signed HTTP requests to URLs that tenants choose, in the form of Standard
// Webhooks (https://www.standardwebhooks.com). It never connects to an address that is not public, unless the operator allows it.
package webhook

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"time"
)

// The bounds of a delivery.
const (
	Timeout       = 10 * time.Second       // of one attempt
	restTime      = 250 * time.Millisecond // for the rest of the answer, which nobody reads
	maxURL        = 2048                   // bytes
	MinSecret     = 16                     // bytes
	MaxSecret     = 256
	maxRetryAfter = time.Hour
)

// delays are the pauses before the second attempt, the third and so on.
var delays = []time.Duration{5 * time.Second, 30 * time.Second, 2 * time.Minute, 10 * time.Minute, 30 * time.Minute, 2 * time.Hour, 6 * time.Hour}

var errNotPublic = errors.New("the address is not public")

// Policy is where an operator lets webhooks go.
type Policy struct {
	Nets []netip.Prefix // networks that may be reached although they are not public
	HTTP bool           // plain http, too
}

// Sender delivers webhooks. It is safe for concurrent use.
type Sender struct {
	policy Policy
	client *http.Client
	now    func() time.Time
}

// NewSender returns a Sender that holds to p.
func NewSender(p Policy) *Sender {
	dialer := &net.Dialer{Timeout: 5 * time.Second, Control: guard{p.Nets}.control}
	return &Sender{policy: p, now: time.Now, client: &http.Client{
		Timeout: Timeout,
		// A redirect could lead anywhere, and would carry the signature along.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport: &http.Transport{
			Proxy: nil, DialContext: dialer.DialContext, TLSHandshakeTimeout: 5 * time.Second, MaxIdleConns: 64, MaxIdleConnsPerHost: 4,
			IdleConnTimeout: 30 * time.Second, MaxResponseHeaderBytes: 16 << 10, DisableCompression: true, ForceAttemptHTTP2: true,
		},
	}}
}

// Check returns why a tenant's URL can't be used, nil if it can.
func (p Policy) Check(raw string) error {
	u, err := url.Parse(raw)
	switch {
	case err != nil || len(raw) > maxURL || u.Host == "" || u.Hostname() == "":
		return fmt.Errorf("must be an https URL of at most %d bytes", maxURL)
	case u.Scheme != "https" && (u.Scheme != "http" || !p.HTTP):
		return errors.New("must be an https URL")
	case u.User != nil:
		return errors.New("must not have a user or password in it: they would be shown in the log of deliveries")
	case u.Fragment != "":
		return errors.New("must not have a fragment")
	}
	if addr, err := netip.ParseAddr(u.Hostname()); err == nil && !(guard{p.Nets}).permits(addr) {
		return errNotPublic
	}
	return nil
}

// Message is one webhook.
type Message struct {
	ID     string // the same at each attempt, so that the receiver recognizes a repetition
	URL    string
	Secret string
	Body   []byte // JSON
}

// Outcome is the result of an attempt.
type Outcome struct {
	OK         bool
	StatusCode int    // 0: no answer
	Error      string // why there was none, in words for the tenant
	TimedOut   bool   // there was none within Timeout
	Took       time.Duration
	RetryAfter time.Duration // that the receiver asked for; 0: none
	Gone       bool          // the receiver wants no more
}

// Send makes one attempt. Only an answer 2xx is OK. The answer's body is not shown to the tenant, who might have no other
// way to read it.
func (s *Sender) Send(ctx context.Context, m Message) Outcome {
	start := s.now()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, m.URL, bytes.NewReader(m.Body))
	if err != nil {
		return Outcome{Error: "the URL is not valid"}
	}
	at := strconv.FormatInt(start.Unix(), 10)
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("User-Agent", "ccee-webhook/1")
	req.Header.Set("Webhook-Id", m.ID)
	req.Header.Set("Webhook-Timestamp", at)
	req.Header.Set("Webhook-Signature", "v1,"+Sign(m.Secret, m.ID, at, m.Body))
	resp, err := s.client.Do(req)
	took := s.now().Sub(start)
	if err != nil {
		return Outcome{Error: reason(err), TimedOut: isTimeout(err), Took: took}
	}
	// Reading a short rest lets the connection be used again. A receiver that sends it slowly loses the connection.
	late := time.AfterFunc(restTime, cancel)
	_, _ = io.CopyN(io.Discard, resp.Body, 4<<10)
	_ = resp.Body.Close()
	late.Stop()
	return Outcome{
		OK: resp.StatusCode/100 == 2, StatusCode: resp.StatusCode, Took: took, Gone: resp.StatusCode == http.StatusGone,
		RetryAfter: retryAfter(resp.Header.Get("Retry-After")),
	}
}

// Sign is the signature of Standard Webhooks: HMAC-SHA256 over id, timestamp and body, in base64.
func Sign(secret, id, timestamp string, body []byte) string {
	mac := hmac.New(sha256.New, []byte(secret))
	fmt.Fprintf(mac, "%s.%s.%s", id, timestamp, body)
	return base64.StdEncoding.EncodeToString(mac.Sum(nil))
}

// Delay is the pause after the attempt with that number, counted from 1; 0: there is no further one.
func Delay(attempt int, o Outcome) time.Duration {
	if o.OK || o.Gone || attempt > len(delays) || attempt < 1 {
		return 0
	}
	return max(delays[attempt-1], o.RetryAfter)
}

// retryAfter reads the header's seconds; dates are left to our own delays.
func retryAfter(s string) time.Duration {
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil || n < 0 {
		return 0
	}
	return min(time.Duration(min(n, 86_400))*time.Second, maxRetryAfter)
}

func isTimeout(err error) bool {
	var timeout interface{ Timeout() bool }
	return errors.As(err, &timeout) && timeout.Timeout()
}

// reason explains why there was no answer, without details of the network inside.
func reason(err error) string {
	var dns *net.DNSError
	var op *net.OpError
	switch {
	case errors.Is(err, errNotPublic):
		return errNotPublic.Error()
	case errors.As(err, &dns):
		return "the host name can't be resolved"
	case isTimeout(err):
		return fmt.Sprintf("no answer within %s", Timeout)
	case errors.As(err, &op) && op.Op == "dial":
		return "no connection"
	default:
		return "the connection failed before there was an answer"
	}
}
