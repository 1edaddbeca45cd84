// SPDX-License-Identifier: Apache-2.0

package cert

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"math/big"
	"time"
)

// Role says which end of a connection a certificate is for.
type Role string

// The roles. A daemon's certificate is of no use to a client, nor a worker's to a server.
const (
	Daemon Role = "daemon" // the server
	Worker Role = "worker" // the client
)

// usage is the extended key usage of a role (RFC 5280, 4.2.1.12); ok is false for a role that there is not.
func (r Role) usage() (usage x509.ExtKeyUsage, ok bool) {
	switch r {
	case Daemon:
		return x509.ExtKeyUsageServerAuth, true
	case Worker:
		return x509.ExtKeyUsageClientAuth, true
	}
	return 0, false
}

// clockSkew is how much earlier than now a new certificate begins: clocks of other machines may be slow.
const clockSkew = 5 * time.Minute

// notBefore is when a certificate begins that is made now: never earlier by more than it is valid.
func notBefore(now time.Time, valid time.Duration) time.Time { return now.Add(-min(clockSkew, valid)) }

// Authority issues certificates.
type Authority struct {
	cert *x509.Certificate
	key  crypto.Signer
}

// NewAuthority makes an authority that is valid from now for that time, with a new ECDSA P-256 key.
func NewAuthority(name string, now time.Time, valid time.Duration) (*Authority, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("make a key: %w", err)
	}
	template, err := newTemplate(name, now, valid)
	if err != nil {
		return nil, err
	}
	template.IsCA, template.BasicConstraintsValid, template.MaxPathLenZero = true, true, true // it issues leaves alone
	template.KeyUsage = x509.KeyUsageCertSign | x509.KeyUsageCRLSign
	c, err := sign(template, template, key, key)
	if err != nil {
		return nil, err
	}
	return &Authority{c, key}, nil
}

// Request is what a certificate is to say.
type Request struct {
	Name  string // the subject's common name, for people; peers never look at it
	Names []Name // at least one
	Role  Role
	Now   time.Time
	Valid time.Duration
}

// Issue makes a certificate with a new ECDSA P-256 key. It must end before the authority's own does.
func (a *Authority) Issue(r Request) (*Pair, error) {
	usage, ok := r.Role.usage()
	switch {
	case !ok:
		return nil, fmt.Errorf("the role %q: it must be %s or %s", r.Role, Daemon, Worker)
	case len(r.Names) == 0:
		return nil, errors.New("a certificate needs a name that its peer looks at: dns:, ip: or uri:")
	case r.Now.Add(r.Valid).After(a.cert.NotAfter):
		return nil, fmt.Errorf("the certificate would be valid for longer than its authority, which ends at %s", stamp(a.cert.NotAfter))
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("make a key: %w", err)
	}
	template, err := newTemplate(r.Name, r.Now, r.Valid)
	if err != nil {
		return nil, err
	}
	template.KeyUsage, template.ExtKeyUsage = x509.KeyUsageDigitalSignature, []x509.ExtKeyUsage{usage}
	template.BasicConstraintsValid = true // and not an authority
	into(template, r.Names)
	c, err := sign(template, a.cert, key, a.key)
	if err != nil {
		return nil, err
	}
	return &Pair{c, key}, nil
}

// Pair is a certificate with its key.
type Pair struct {
	Cert *x509.Certificate
	Key  crypto.Signer
}

// Pair returns the authority's own certificate and key.
func (a *Authority) Pair() *Pair { return &Pair{a.cert, a.key} }

func newTemplate(name string, now time.Time, valid time.Duration) (*x509.Certificate, error) {
	if valid <= 0 {
		return nil, fmt.Errorf("a certificate can't be valid for %v", valid)
	}
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127)) // positive, up to 20 octets (RFC 5280, 4.1.2.2)
	if err != nil {
		return nil, fmt.Errorf("make a serial number: %w", err)
	}
	return &x509.Certificate{
		SerialNumber: serial.Add(serial, big.NewInt(1)),
		Subject:      pkix.Name{CommonName: name},
		NotBefore:    notBefore(now, valid), NotAfter: now.Add(valid),
	}, nil
}

// sign makes the certificate of key, signed by the key of its issuer.
func sign(template, issuer *x509.Certificate, key, issuerKey crypto.Signer) (*x509.Certificate, error) {
	der, err := x509.CreateCertificate(rand.Reader, template, issuer, key.Public(), issuerKey)
	if err != nil {
		return nil, fmt.Errorf("sign the certificate: %w", err)
	}
	return x509.ParseCertificate(der)
}

// stamp is how times are written in messages.
func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }
