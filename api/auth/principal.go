package auth

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
)

// Principal is who made a request.
type Principal struct {
	Tenant      string
	Subject     string // what tells one caller of a tenant from another; of an API key its fingerprint
	Fingerprint string // of the credential: Fingerprint(key)
	Type        string // "api_key"
	Policy
}

// Policy is what a tenant may use.
type Policy struct {
	MaxConcurrentJobs int64 // unfinished jobs at a time, queued ones included
	MaxDailyJobs      int64 // submissions a day (UTC)
}

// Authenticator finds out who made a request with those headers. A caller that it turns away gets a *Refusal; any other
// error means that it could not find out.
type Authenticator interface {
	Authenticate(h http.Header) (Principal, error)
}

// Reason says why a caller was turned away. The values are part of the public contract.
type Reason string

// The reasons.
const (
	MissingAPIKey Reason = "missing_api_key"
	InvalidAPIKey Reason = "invalid_api_key"
)

// Refusal is the error of a caller who did not prove who they are.
type Refusal struct{ Reason Reason }

func (r *Refusal) Error() string { return fmt.Sprintf("authenticate: %s", r.Reason) }

// Fingerprint names a credential in logs and records without giving it away: the first 16 hexadecimal digits of its SHA-256.
func Fingerprint(credential string) string {
	sum := sha256.Sum256([]byte(credential))
	return hex.EncodeToString(sum[:8])
}
