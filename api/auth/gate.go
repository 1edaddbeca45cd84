// SPDX-License-Identifier: Apache-2.0

package auth

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"
)

// Mode says which credentials are accepted: AUTH_MODE.
type Mode string

// The modes.
const (
	APIKeyMode Mode = "api_key"
	JWTMode    Mode = "jwt"
	HybridMode Mode = "hybrid" // a bearer token, if the request has one, otherwise an API key
)

const keyHeader = "X-Api-Key"

// Gate is the Authenticator of a deployment.
type Gate struct {
	mode Mode
	live *Live
	jwt  *JWT // nil: no identity provider
	now  func() time.Time
}

// NewGate returns the Authenticator for a mode. jwt may be nil, except in JWTMode.
func NewGate(mode Mode, live *Live, jwt *JWT) (*Gate, error) {
	switch mode {
	case APIKeyMode, HybridMode:
		if live.Directory().Empty() && mode == APIKeyMode {
			return nil, errors.New("there is no API key, so nobody could use the API: set TENANT_API_KEYS_JSON or AUTH_FILE")
		}
	case JWTMode:
		if jwt == nil {
			return nil, errors.New("AUTH_MODE is jwt, so JWT_JWKS_URL, JWT_ISSUER and JWT_AUDIENCE must be set")
		}
	default:
		return nil, fmt.Errorf("AUTH_MODE is %q, it must be api_key, jwt or hybrid", mode)
	}
	return &Gate{mode: mode, live: live, jwt: jwt, now: time.Now}, nil
}

// Authenticate looks the request's API key up or verifies its token, depending on the mode.
func (g *Gate) Authenticate(ctx context.Context, h http.Header) (Principal, error) {
	token, there := bearer(h)
	switch {
	case g.mode == APIKeyMode, g.mode == HybridMode && !there:
		return g.byKey(h)
	case !there:
		return Principal{}, &Refusal{MissingBearer}
	case g.jwt == nil:
		return Principal{}, &Refusal{JWTNotConfigured}
	}
	who, err := g.jwt.Verify(ctx, token)
	if err != nil {
		return Principal{}, err
	}
	policy, known := g.live.Directory().policies[who.Tenant]
	if !known {
		return Principal{}, &Refusal{UnknownTenantPolicy}
	}
	who.Policy = policy
	return who, nil
}

// Judge reports whether the token in the headers may be valid, and whether it was before. Looking an API key up costs nothing.
func (g *Gate) Judge(h http.Header) (promising, proven bool) {
	token, there := bearer(h)
	if g.mode == APIKeyMode || !there || g.jwt == nil {
		return true, true
	}
	return g.jwt.judge(token)
}

func (g *Gate) byKey(h http.Header) (Principal, error) {
	key := apiKey(h)
	if key == "" {
		return Principal{}, &Refusal{MissingAPIKey}
	}
	who, known := g.live.Directory().lookup(key, g.now())
	if !known {
		return Principal{}, &Refusal{InvalidAPIKey}
	}
	return who, nil
}

// AuthenticateAdmin looks the request's API key up among the operators'.
func (g *Gate) AuthenticateAdmin(h http.Header) (Principal, error) {
	key := apiKey(h)
	if key == "" {
		return Principal{}, &Refusal{AdminMissing}
	}
	who, operator, mapped := g.live.Directory().admin(key, g.now())
	switch {
	case !operator:
		return Principal{}, &Refusal{AdminForbidden}
	case !mapped:
		return Principal{}, &Refusal{AdminNotMapped}
	}
	return who, nil
}

// apiKey reads x-api-key. Several header lines of that name are joined, as Node does, and so match no key.
func apiKey(h http.Header) string { return strings.TrimSpace(strings.Join(h[keyHeader], ", ")) }

// bearer reads the token of Authorization. Another scheme and an empty token count as none.
func bearer(h http.Header) (token string, there bool) {
	scheme, token, _ := strings.Cut(strings.TrimSpace(strings.Join(h["Authorization"], ", ")), " ")
	token = strings.TrimSpace(token)
	return token, strings.EqualFold(scheme, "bearer") && token != ""
}
