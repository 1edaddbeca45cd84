// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// TestTokens: a caller with a token of the identity provider gets the same as one with a key, as the contract says: rest checks each
// answer against it.
func TestTokens(t *testing.T) {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	point, err := private.PublicKey.Bytes() // 4, x, y
	if err != nil {
		t.Fatal(err)
	}
	coded := base64.RawURLEncoding.EncodeToString
	provider := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintf(w, `{"keys":[{"kty":"EC","crv":"P-256","kid":"k","alg":"ES256","x":"%s","y":"%s"}]}`, coded(point[1:33]), coded(point[33:]))
	}))
	defer provider.Close()
	s := ownStack(t, "AUTH_MODE=hybrid", "JWT_JWKS_URL="+provider.URL, "JWT_ISSUER=https://issuer", "JWT_AUDIENCE=ccee",
		`TENANT_POLICIES_JSON={"tokens":{"maxConcurrentJobs":9,"maxDailyJobs":99}}`)
	signed := coded([]byte(`{"alg":"ES256","kid":"k"}`)) + "." + coded(fmt.Appendf(nil, `{"iss":"https://issuer","aud":"ccee","sub":"me","custom:tenant_id":"tokens","exp":%d}`, time.Now().Add(time.Hour).Unix()))
	sum := sha256.Sum256([]byte(signed))
	x, y, err := ecdsa.Sign(rand.Reader, private, sum[:])
	if err != nil {
		t.Fatal(err)
	}
	token := signed + "." + coded(append(x.FillBytes(make([]byte, 32)), y.FillBytes(make([]byte, 32))...))
	ask := func(method, path, body, credential string) (int, map[string]any) {
		t.Helper()
		req, err := http.NewRequest(method, s.url+path, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer "+credential)
		if body != "" {
			req.Header.Set("Content-Type", "application/json")
		}
		resp, err := rest.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		raw, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		var answer map[string]any
		if err := json.Unmarshal(raw, &answer); err != nil {
			t.Fatalf("%s: %v", raw, err)
		}
		return resp.StatusCode, answer
	}
	status, ran := ask("POST", "/v1/jobs?waitMs=30000", `{"language":"python","sourceCode":"print(6*7)"}`, token)
	if status != 200 || ran["tenantId"] != "tokens" || at(ran, "result.stdout") != "42\n" {
		t.Fatalf("%d %v", status, ran)
	}
	status, quotas := ask("GET", "/v1/quotas", "", token)
	if status != 200 || quotas["authType"] != "jwt" || at(quotas, "limits.maxDailyJobs") != 99.0 || at(quotas, "usage.dailyJobs") != 1.0 {
		t.Errorf("%d %v", status, quotas)
	}
	id := ran["jobId"].(string)
	for _, path := range []string{"/v1/jobs", "/v1/jobs/" + id, "/executions/" + id + "/logs", "/v1/costs", "/v1/audit"} {
		if status, answer := ask("GET", path, "", token); status != 200 {
			t.Errorf("GET %s: %d %v", path, status, answer)
		}
	}
	for credential, reason := range map[string]string{token + "x": "invalid_jwt", "x": "invalid_jwt"} {
		if status, answer := ask("GET", "/v1/quotas", "", credential); status != 401 || answer["reason"] != reason {
			t.Errorf("with %.9s: %d %v, want 401 %s", credential, status, answer, reason)
		}
	}
}
