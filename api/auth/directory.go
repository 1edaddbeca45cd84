// SPDX-License-Identifier: Apache-2.0

package auth

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"time"
)

// Bounds and defaults of a tenant's quotas and names.
const (
	maxTenantBytes    = 128 // as job.MaxIDBytes, which every job of the tenant is held to
	maxConcurrentJobs = 1_000
	maxDailyJobs      = 1_000_000
	maxStoredBytes    = 1 << 40
	defaultConcurrent = 5
	defaultDailyJobs  = 1_000
)

// DevKeysJSON is the key map of a development stack: everybody knows the key, so it may be used on loopback only.
const DevKeysJSON = `{"dev-local-key":{"tenantId":"tenant-dev"}}`

// DevAdminKeysJSON lists the operators' keys of a development stack.
const DevAdminKeysJSON = `["dev-local-key"]`

// Sources are the inputs of a Directory; each may be empty.
type Sources struct {
	KeysJSON     string // TENANT_API_KEYS_JSON
	PoliciesJSON string // TENANT_POLICIES_JSON
	AdminsJSON   string // ADMIN_API_KEYS_JSON
	File         []byte // the content of AUTH_FILE
}

// Directory has the API keys, the operators' keys and the policies of tenants. It is immutable. It keeps no key, only a digest of each.
type Directory struct {
	keys     map[digest]entry
	admins   map[digest]string // fingerprints
	policies map[string]Policy
}

// digest identifies a key: an HMAC of its SHA-256 under a secret of this process. So the duration of a lookup tells nothing about the key.
type digest [sha256.Size]byte

// entry is one API key.
type entry struct {
	who     Principal
	expires time.Time // zero: never
	revoked bool
}

var processSecret = func() []byte {
	b := make([]byte, 32)
	_, _ = rand.Read(b) // never fails
	return b
}()

func digestOf(sum [sha256.Size]byte) digest {
	mac := hmac.New(sha256.New, processSecret)
	mac.Write(sum[:])
	return digest(mac.Sum(nil))
}

func digestOfKey(key string) digest { return digestOf(sha256.Sum256([]byte(key))) }

// NewDirectory reads the sources. Errors name the source, and an entry by its position and fingerprint, never by the key.
func NewDirectory(s Sources) (*Directory, error) {
	d := &Directory{keys: map[digest]entry{}, admins: map[digest]string{}, policies: map[string]Policy{}}
	for _, part := range []struct {
		name string
		read func() error
	}{
		{"TENANT_API_KEYS_JSON", func() error { return d.readKeys(s.KeysJSON) }},
		{"TENANT_POLICIES_JSON", func() error { return d.readPolicies([]byte(s.PoliciesJSON)) }},
		{"ADMIN_API_KEYS_JSON", func() error { return d.readAdmins(s.AdminsJSON) }},
		{"AUTH_FILE", func() error { return d.readFile(s.File) }},
	} {
		if err := part.read(); err != nil {
			return nil, fmt.Errorf("%s: %w", part.name, err)
		}
	}
	return d, nil
}

// Unmapped returns the fingerprints of the keys in ADMIN_API_KEYS_JSON that belong to no tenant: they are useless.
func (d *Directory) Unmapped() []string {
	var all []string
	for at, fingerprint := range d.admins {
		if _, known := d.keys[at]; !known {
			all = append(all, fingerprint)
		}
	}
	slices.Sort(all)
	return all
}

// Empty reports whether the directory has no key.
func (d *Directory) Empty() bool { return len(d.keys) == 0 }

// add adds a key.
func (d *Directory) add(at digest, e entry) error {
	if _, twice := d.keys[at]; twice {
		return errors.New("the key is listed twice")
	}
	d.keys[at] = e
	// A tenant's policy for tokens is that of its first key, unless it has one of its own.
	if _, known := d.policies[e.who.Tenant]; !known {
		d.policies[e.who.Tenant] = e.who.Policy
	}
	return nil
}

// lookup returns the owner of a key that is valid at a time.
func (d *Directory) lookup(key string, now time.Time) (Principal, bool) {
	e, known := d.keys[digestOfKey(key)]
	if !known || e.revoked || !e.expires.IsZero() && !now.Before(e.expires) {
		return Principal{}, false
	}
	return e.who, true
}

// admin returns the owner of an operator's key; operator reports whether it is one, mapped whether it belongs to a tenant.
func (d *Directory) admin(key string, now time.Time) (who Principal, operator, mapped bool) {
	who, mapped = d.lookup(key, now)
	return who, d.admins[digestOfKey(key)] != "" || who.Scopes.Has(Admin), mapped
}
