// SPDX-License-Identifier: Apache-2.0

package api

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/ccee-dev/ccee/api/auth"
	"github.com/ccee-dev/ccee/job"
)

// provider signs tokens (RFC 7519, with ES256 of RFC 7518) and has the key for them over HTTP.
type provider struct {
	t   *testing.T
	url string
	key *ecdsa.PrivateKey
}

func newProvider(t *testing.T) provider {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	point, err := key.PublicKey.Bytes() // 4, x, y
	if err != nil {
		t.Fatal(err)
	}
	coordinate := base64.RawURLEncoding.EncodeToString
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintf(w, `{"keys":[{"kty":"EC","crv":"P-256","kid":"k","alg":"ES256","use":"sig","x":"%s","y":"%s"}]}`, coordinate(point[1:33]), coordinate(point[33:]))
	}))
	t.Cleanup(srv.Close)
	return provider{t, srv.URL, key}
}

// token is a good one of a tenant.
func (p provider) token(tenant string) string {
	p.t.Helper()
	claims, err := json.Marshal(map[string]any{"iss": "https://issuer", "aud": "ccee", "sub": "someone", "custom:tenant_id": tenant, "exp": time.Now().Add(time.Hour).Unix()})
	if err != nil {
		p.t.Fatal(err)
	}
	signed := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"ES256","kid":"k"}`)) + "." + base64.RawURLEncoding.EncodeToString(claims)
	sum := sha256.Sum256([]byte(signed))
	r, s, err := ecdsa.Sign(rand.Reader, p.key, sum[:])
	if err != nil {
		p.t.Fatal(err)
	}
	return signed + "." + base64.RawURLEncoding.EncodeToString(append(r.FillBytes(make([]byte, 32)), s.FillBytes(make([]byte, 32))...))
}

// hybridStack takes keys and tokens; header is that of a request with a token.
func hybridStack(t *testing.T) (s *stack, header http.Header) {
	t.Helper()
	p := newProvider(t)
	s = newStack(t, nil)
	tokens, err := auth.NewJWT(auth.JWTOptions{JWKSURL: p.url, Issuer: "https://issuer", Audience: "ccee"})
	if err != nil {
		t.Fatal(err)
	}
	s.server.opts.Auth = gate(t, auth.HybridMode, tokens, `[]`, `{"`+testKey+`": {"tenantId": "`+s.tenant+`", "maxConcurrentJobs": 1000, "maxDailyJobs": 1000}}`)
	return s, http.Header{"X-Api-Key": nil, "Authorization": {"Bearer " + p.token(s.tenant)}}
}

// Every route of tenants answers who comes with a token, and as the contract says: do holds it to that.
func TestTokens(t *testing.T) {
	s, token := hybridStack(t)
	s.do("GET", "/v1/quotas", "", token).want(t, 200, `{"tenantId":"`+s.tenant+`","traceId":"test-trace","authType":"jwt",
		"limits":{"maxConcurrentJobs":1000,"maxDailyJobs":1000,"maxStoredBytes":268435456,"rateLimitRequests":100000,"rateLimitWindowSeconds":60,"submitRateLimitRequests":100000},
		"usage":{"activeJobs":0,"dailyJobs":0,"storedBytes":0,"dailyDate":"`+time.Now().UTC().Format(time.DateOnly)+`","estimatedCostUsd":0}}`)
	if a := s.do("GET", "/v1/quotas", "", nil); a.at("authType") != "api_key" {
		t.Errorf("with a key: %s", a.raw)
	}
	consume(t, s.queue, func(job.Spec) job.Result { return exited(0, "hello\n") })
	for _, rt := range s.server.routes() {
		if rt.access != tenants && rt.access != countsItself {
			continue
		}
		id := s.submit(strings.Replace(helloPython, "{", `{"webhook":{"url":"https://example.com","secret":"0123456789abcdef"},`, 1))
		if a := s.get("/v1/jobs/" + id + "?waitMs=30000"); a.at("status") != "succeeded" {
			t.Fatalf("%d %s", a.status, a.raw)
		}
		body := ""
		switch {
		case rt.path == "/v1/batch":
			body = `{"jobs":[` + helloPython + `]}`
		case rt.method == "POST" && !strings.Contains(rt.path, ":jobId"):
			body = helloPython
		}
		method := rt.method
		if strings.HasSuffix(rt.path, "/events") {
			method = "HEAD" // the stream itself is no JSON: see TestEvents
		}
		a := s.do(method, strings.ReplaceAll(rt.path, ":jobId", id), body, token)
		if wantOver := rt.method == "DELETE" && !strings.HasSuffix(rt.path, "/data"); a.status/100 != 2 && !(wantOver && a.status == 409) {
			t.Errorf("%s %s with a token: %d %s", rt.method, rt.path, a.status, a.raw)
		}
	}
	if a := s.do("GET", "/v1/quotas", "", http.Header{"X-Api-Key": nil, "Authorization": {"Bearer x"}}); a.status != 401 || a.at("reason") != "invalid_jwt" {
		t.Errorf("a bad token: %d %s", a.status, a.raw)
	}
	if a := s.do("GET", "/v1/quotas", "", http.Header{"X-Api-Key": nil}); a.status != 401 {
		t.Errorf("no credential: %d %s", a.status, a.raw)
	}
}
