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

// Principal is who made a request.
type Principal struct {
	Tenant      string
	Subject     string // what tells one caller of a tenant from another; of an API key its fingerprint
	Fingerprint string // of the credential: Fingerprint(key)
	Type        string // "api_key" or "jwt"
	Scopes      Scopes
	Policy
}

// Policy is what a tenant may use.
type Policy struct {
	MaxConcurrentJobs int64 // unfinished jobs at a time, queued ones included
	MaxDailyJobs      int64 // submissions a day (UTC)
	MaxStoredBytes    int64 // that its jobs take in Redis; 0: what the server has for all
}

// Scope is what a credential may be used for.
type Scope string

// The scopes.
const (
	Read   Scope = "read"   // look at what is the tenant's
	Submit Scope = "submit" // submit, cancel and delete jobs
	Admin  Scope = "admin"  // the routes of operators
)

// Scopes are the scopes of one credential.
type Scopes []Scope

// Has reports whether s is among them.
func (ss Scopes) Has(s Scope) bool { return slices.Contains(ss, s) }

// tenantScopes are those of credentials that come without any of their own.
var tenantScopes = Scopes{Read, Submit}

// Authenticator finds out who made a request with those headers. A caller that it turns away gets a *Refusal; ErrUnavailable and
// any other error mean that it could not find out.
type Authenticator interface {
	Authenticate(ctx context.Context, h http.Header) (Principal, error)
	// Judge says, at next to no cost, whether it is worth verifying the credential of those headers: whether it may be good at all, and whether
	// it, or none that is as costly to verify, was good before.
	Judge(h http.Header) (promising, proven bool)
	// AuthenticateAdmin is for the routes of operators, which take API keys only. The Principal is that of the key's tenant.
	AuthenticateAdmin(h http.Header) (Principal, error)
}

// Reason says why a caller was turned away. The values are part of the public contract.
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
	UnknownTenantPolicy Reason = "unknown_tenant_policy" // the credential is good; its tenant is not known here
	MissingScope        Reason = "missing_scope"         // the credential is good; it is not for this

	AdminMissing   Reason = "admin_auth_missing"
	AdminForbidden Reason = "admin_forbidden"
	AdminNotMapped Reason = "admin_key_not_mapped" // the key is an operator's, but of no tenant
)

// Refusal is the error of a caller who did not prove who they are, or who may not do what they ask for.
type Refusal struct{ Reason Reason }

func (r *Refusal) Error() string { return fmt.Sprintf("authenticate: %s", r.Reason) }

// Forbidden reports whether the caller is known all the same.
func (r *Refusal) Forbidden() bool {
	return slices.Contains([]Reason{UnknownTenantPolicy, MissingScope, AdminForbidden, AdminNotMapped}, r.Reason)
}

// ErrUnavailable means that the keys of an identity provider can't be had just now, so nobody can say whether a token is good.
var ErrUnavailable = errors.New("the key set of the identity provider can't be had")

// Fingerprint names a credential in logs and records without giving it away: the first 16 hexadecimal digits of its SHA-256.
func Fingerprint(credential string) string {
	sum := sha256.Sum256([]byte(credential))
	return hex.EncodeToString(sum[:8])
}
