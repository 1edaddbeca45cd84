package auth

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
)

// Bounds and defaults of an entry of TENANT_API_KEYS_JSON.
const (
	maxTenantBytes      = 128 // as job.MaxIDBytes, which every job of the tenant is held to
	maxConcurrentJobs   = 1_000
	maxDailyJobs        = 1_000_000
	defaultConcurrent   = 5
	defaultDailyJobs    = 1_000
	keyHeader           = "X-Api-Key"
	principalTypeAPIKey = "api_key"
)

// DevKeysJSON is the key map of a development stack: everybody knows the key, so it may be used on loopback only.
const DevKeysJSON = `{"dev-local-key":{"tenantId":"tenant-dev"}}`

// Keys are the API keys of a deployment. The keys themselves are not kept, only their SHA-256.
type Keys struct {
	// A lookup compares digests. How long it takes can tell a caller about the digest of their own guess, which they know,
	// but nothing that brings a next guess nearer to a key.
	byDigest map[[sha256.Size]byte]Principal
}

// Authenticate looks the request's x-api-key up. Header lines of that name that come twice are joined, as Node does, and so
// match no key.
func (k *Keys) Authenticate(h http.Header) (Principal, error) {
	key := strings.TrimSpace(strings.Join(h[keyHeader], ", "))
	if key == "" {
		return Principal{}, &Refusal{MissingAPIKey}
	}
	p, known := k.byDigest[sha256.Sum256([]byte(key))]
	if !known {
		return Principal{}, &Refusal{InvalidAPIKey}
	}
	return p, nil
}

// keyEntry is one value of the map as it is written.
type keyEntry struct {
	TenantID          *string         `json:"tenantId"`
	MaxConcurrentJobs json.RawMessage `json:"maxConcurrentJobs"`
	MaxDailyJobs      json.RawMessage `json:"maxDailyJobs"`
}

// ParseKeys reads TENANT_API_KEYS_JSON:
//
//	{"<key>":{"tenantId":"acme","maxConcurrentJobs":5,"maxDailyJobs":1000}}
//
// Errors name an entry by its place and fingerprint, never by the key.
func ParseKeys(text string) (*Keys, error) {
	k := &Keys{byDigest: map[[sha256.Size]byte]Principal{}}
	dec := json.NewDecoder(strings.NewReader(text))
	if tok, err := dec.Token(); err != nil || tok != json.Delim('{') {
		return nil, errors.New(`is not a JSON object: write {"<key>":{"tenantId":"<tenant>"}}`)
	}
	for n := 1; dec.More(); n++ {
		name, err := dec.Token()
		if err != nil {
			return nil, fmt.Errorf("entry %d: its key is not a JSON string", n)
		}
		if err := k.add(name.(string), dec); err != nil {
			return nil, fmt.Errorf("entry %d (key with fingerprint %s): %w", n, Fingerprint(name.(string)), err)
		}
	}
	if _, err := dec.Token(); err != nil {
		return nil, errors.New("ends before its closing brace")
	}
	if _, err := dec.Token(); err != io.EOF {
		return nil, errors.New("has something behind its closing brace")
	}
	if len(k.byDigest) == 0 {
		return nil, errors.New("names no key, so nobody could use the API")
	}
	return k, nil
}

func (k *Keys) add(key string, dec *json.Decoder) error {
	var raw json.RawMessage
	if err := dec.Decode(&raw); err != nil {
		return errors.New("its value is not JSON")
	}
	var e keyEntry
	if err := json.Unmarshal(raw, &e); err != nil || raw[0] != '{' {
		return errors.New(`its value must be an object with a string tenantId`)
	}
	digest := sha256.Sum256([]byte(key))
	_, twice := k.byDigest[digest]
	switch {
	case strings.TrimSpace(key) != key || key == "":
		return errors.New("the key must not be empty or have white space around it")
	case twice:
		return errors.New("the key is there twice")
	case e.TenantID == nil || *e.TenantID == "" || len(*e.TenantID) > maxTenantBytes:
		return fmt.Errorf("tenantId must be a string of 1 to %d bytes", maxTenantBytes)
	}
	concurrent, err := count("maxConcurrentJobs", e.MaxConcurrentJobs, defaultConcurrent, maxConcurrentJobs)
	if err != nil {
		return err
	}
	daily, err := count("maxDailyJobs", e.MaxDailyJobs, defaultDailyJobs, maxDailyJobs)
	if err != nil {
		return err
	}
	fp := Fingerprint(key)
	k.byDigest[digest] = Principal{
		Tenant: *e.TenantID, Subject: fp, Fingerprint: fp, Type: principalTypeAPIKey,
		Policy: Policy{MaxConcurrentJobs: concurrent, MaxDailyJobs: daily},
	}
	return nil
}

// count reads a number, or a number in a string as deployment tools like to write them, between 1 and max.
func count(name string, raw json.RawMessage, def, max int64) (int64, error) {
	if raw == nil {
		return def, nil
	}
	n, err := strconv.ParseInt(strings.TrimSpace(string(bytes.Trim(raw, `"`))), 10, 64)
	if err != nil || n < 1 || n > max {
		return 0, fmt.Errorf("%s is %s, it must be a whole number from 1 to %d", name, raw, max)
	}
	return n, nil
}
