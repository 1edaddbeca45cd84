// SPDX-License-Identifier: Apache-2.0

package auth

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
)

// algorithms are those of RFC 7518 and RFC 8037 with a public verification key. A token that is "signed" with the public key as a shared
// secret, or not at all, is rejected when it is parsed.
var algorithms = []jose.SignatureAlgorithm{
	jose.RS256, jose.RS384, jose.RS512, jose.PS256, jose.PS384, jose.PS512, jose.ES256, jose.ES384, jose.ES512, jose.EdDSA,
}

// The issuer's clock and ours differ: a new token may be valid only in our future (nbf, iat). An expired one is accepted a moment longer.
const (
	startLeeway = time.Minute
	endLeeway   = 5 * time.Second
)

// maxSubject bounds a subject, in bytes.
const maxSubject = 256

// JWTOptions say which tokens are valid. All but the claims' names are required.
type JWTOptions struct {
	JWKSURL  string // JWT_JWKS_URL: where the provider's keys are (RFC 7517)
	Issuer   string // JWT_ISSUER: the iss of its tokens
	Audience string // JWT_AUDIENCE: what their aud must name; of an access token of Amazon Cognito, which has none, the client_id

	TenantClaim  string // JWT_TENANT_CLAIM: "custom:tenant_id"
	SubjectClaim string // JWT_SUBJECT_CLAIM: "sub"
}

// JWT verifies the tokens of one identity provider (RFC 7519).
type JWT struct {
	opts JWTOptions
	keys *keySet
	good proven
	now  func() time.Time
}

// NewJWT returns a verifier. It does not connect yet.
func NewJWT(o JWTOptions) (*JWT, error) {
	for _, needed := range []struct{ name, value, why string }{
		{"JWT_JWKS_URL", o.JWKSURL, "without it there is no key to verify tokens with"},
		{"JWT_ISSUER", o.Issuer, "without it tokens of any provider would be valid"},
		{"JWT_AUDIENCE", o.Audience, "without it tokens for other services would be valid"},
	} {
		if needed.value == "" {
			return nil, fmt.Errorf("%s is not set: %s", needed.name, needed.why)
		}
	}
	u, err := url.Parse(o.JWKSURL)
	if err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" {
		return nil, errors.New("JWT_JWKS_URL must be an https URL")
	}
	if o.TenantClaim == "" {
		o.TenantClaim = "custom:tenant_id"
	}
	if o.SubjectClaim == "" {
		o.SubjectClaim = "sub"
	}
	j := &JWT{opts: o, keys: newKeySet(o.JWKSURL, &http.Client{Timeout: fetchTimeout}), now: time.Now}
	j.keys.now = func() time.Time { return j.now() }
	return j, nil
}

// Verify returns the owner of a token, without the tenant's Policy. The error is a *Refusal, or ErrUnavailable.
func (j *JWT) Verify(ctx context.Context, token string) (Principal, error) {
	parsed, err := jwt.ParseSigned(token, algorithms)
	if err != nil || len(parsed.Headers) != 1 {
		return Principal{}, &Refusal{InvalidJWT}
	}
	keys, err := j.keys.find(ctx, parsed.Headers[0].KeyID)
	if err != nil {
		return Principal{}, err
	}
	for _, key := range keys {
		if key.Algorithm != "" && key.Algorithm != parsed.Headers[0].Algorithm {
			continue
		}
		var std jwt.Claims
		var all map[string]any
		if parsed.Claims(key.Key, &std, &all) == nil {
			who, err := j.principal(std, all)
			if err == nil {
				j.good.add(token)
			}
			return who, err
		}
	}
	return Principal{}, &Refusal{InvalidJWT}
}

// expired reports whether a token has expired, or would never expire.
func (j *JWT) expired(std jwt.Claims) bool {
	return std.Expiry == nil || j.now().After(std.Expiry.Time().Add(endLeeway))
}

// principal checks the claims of a token with a valid signature.
func (j *JWT) principal(std jwt.Claims, all map[string]any) (Principal, error) {
	if len(std.Audience) == 0 && all["token_use"] == "access" {
		if id, ok := all["client_id"].(string); ok {
			std.Audience = jwt.Audience{id}
		}
	}
	expected := jwt.Expected{Issuer: j.opts.Issuer, AnyAudience: jwt.Audience{j.opts.Audience}, Time: j.now()}
	if j.expired(std) || std.ValidateWithLeeway(expected, startLeeway) != nil {
		return Principal{}, &Refusal{InvalidJWT}
	}
	tenant, subject := claim(all, j.opts.TenantClaim), claim(all, j.opts.SubjectClaim)
	switch {
	case tenant == "":
		return Principal{}, &Refusal{MissingTenantClaim}
	case subject == "":
		return Principal{}, &Refusal{MissingSubjectClaim}
	case len(tenant) > maxTenantBytes || len(subject) > maxSubject:
		return Principal{}, &Refusal{InvalidJWT}
	}
	return Principal{Tenant: tenant, Subject: subject, Fingerprint: Fingerprint("jwt:" + tenant + ":" + subject), Type: "jwt", Scopes: tenantScopes}, nil
}

func claim(all map[string]any, name string) string {
	s, _ := all[name].(string)
	return strings.TrimSpace(s)
}
