// SPDX-License-Identifier: Apache-2.0

package auth

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"slices"
)

// Principal identifies the caller of a request.
type Principal struct {
	Tenant      string
	Subject     string // distinguishes the callers of a tenant; for an API key its fingerprint
	Fingerprint string // of the credential: Fingerprint(key)
	Type        string // "api_key" or "jwt"
	Scopes      Scopes
	Policy
}

// Policy is a tenant's quotas.
type Policy struct {
	MaxConcurrentJobs int64 // unfinished jobs at a time, queued ones included
	MaxDailyJobs      int64 // submissions a day (UTC)
	MaxStoredBytes    int64 // that its jobs take in Redis; 0: the server's default
}

// Scope is a permission of a credential.
type Scope string

// The scopes.
const (
	Read   Scope = "read"   // read the tenant's data
	Submit Scope = "submit" // submit, cancel and delete jobs
	Admin  Scope = "admin"  // use the operators' routes
)

// Scopes are the scopes of one credential.
type Scopes []Scope

// Has reports whether s is among them.
func (ss Scopes) Has(s Scope) bool { return slices.Contains(ss, s) }

// tenantScopes are the scopes of credentials that list none.
var tenantScopes = Scopes{Read, Submit}

// Authenticator identifies callers by the headers of their requests. The error for a rejected caller is a *Refusal; ErrUnavailable and
// any other error mean that it could not find out.
type Authenticator interface {
	Authenticate(ctx context.Context, h http.Header) (Principal, error)
	// Judge reports, at almost no cost, whether a credential is worth verifying: promising, if it may be valid; proven, if it was valid
	// before, or costs nothing to verify.
	Judge(h http.Header) (promising, proven bool)
	// AuthenticateAdmin is for the operators' routes, which accept API keys only. The Principal is that of the key's tenant.
	AuthenticateAdmin(h http.Header) (Principal, error)
}

// Reason is why a caller was rejected. The values are part of the public contract.
type Reason string

// The reasons.
const (
	MissingAPIKey       Reason = "missing_api_key"
	InvalidAPIKey       Reason = "invalid_api_key"
	MissingBearer       Reason = "missing_bearer_token"
	JWTNotConfigured    Reason = "jwt_not_configured"
	InvalidJWT          Reason = "invalid_jwt"
	MissingTenantClaim  Reason = "missing_jwt_tenant_claim"
	MissingSubjectClaim Reason = "missing_jwt_subject_claim"
	UnknownTenantPolicy Reason = "unknown_tenant_policy" // the credential is valid; its tenant has no policy here
	MissingScope        Reason = "missing_scope"         // the credential is valid, but not for this

	AdminMissing   Reason = "admin_auth_missing"
	AdminForbidden Reason = "admin_forbidden"
	AdminNotMapped Reason = "admin_key_not_mapped" // the key is an operator's, but belongs to no tenant
)

// Refusal is the error for a caller who is not identified or not allowed to do this.
type Refusal struct{ Reason Reason }

func (r *Refusal) Error() string { return fmt.Sprintf("authenticate: %s", r.Reason) }

// Forbidden reports whether the caller is identified, but not allowed (403 instead of 401).
func (r *Refusal) Forbidden() bool {
	return slices.Contains([]Reason{UnknownTenantPolicy, MissingScope, AdminForbidden, AdminNotMapped}, r.Reason)
}

// ErrUnavailable means that the identity provider's keys can't be fetched now, so tokens can't be verified.
var ErrUnavailable = errors.New("the key set of the identity provider can't be fetched")

// Fingerprint identifies a credential in logs and records without revealing it: the first 16 hexadecimal digits of its SHA-256.
func Fingerprint(credential string) string {
	sum := sha256.Sum256([]byte(credential))
	return hex.EncodeToString(sum[:8])
}
