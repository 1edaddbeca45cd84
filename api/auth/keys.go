// SPDX-License-Identifier: Apache-2.0

package auth

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"
)

// keyEntry is one value of TENANT_API_KEYS_JSON.
type keyEntry struct {
	TenantID *string `json:"tenantId"`
	policyEntry
}

// policyEntry is one value of TENANT_POLICIES_JSON.
type policyEntry struct {
	MaxConcurrentJobs json.RawMessage `json:"maxConcurrentJobs"`
	MaxDailyJobs      json.RawMessage `json:"maxDailyJobs"`
	MaxStoredBytes    json.RawMessage `json:"maxStoredBytes"`
}

func (e policyEntry) policy() (p Policy, err error) {
	if p.MaxConcurrentJobs, err = count("maxConcurrentJobs", e.MaxConcurrentJobs, defaultConcurrent, maxConcurrentJobs); err != nil {
		return p, err
	}
	if p.MaxDailyJobs, err = count("maxDailyJobs", e.MaxDailyJobs, defaultDailyJobs, maxDailyJobs); err != nil {
		return p, err
	}
	p.MaxStoredBytes, err = count("maxStoredBytes", e.MaxStoredBytes, 0, maxStoredBytes)
	return p, err
}

// readKeys reads {"<key>":{"tenantId":"acme","maxConcurrentJobs":5,"maxDailyJobs":1000}}. It reads
// token by token, because a key that is listed twice is a mistake, which a map would hide.
func (d *Directory) readKeys(text string) error {
	if text == "" {
		return nil
	}
	dec := json.NewDecoder(strings.NewReader(text))
	if tok, err := dec.Token(); err != nil || tok != json.Delim('{') {
		return errors.New(`is not a JSON object: write {"<key>":{"tenantId":"<tenant>"}}`)
	}
	for n := 1; dec.More(); n++ {
		name, err := dec.Token()
		if err != nil {
			return fmt.Errorf("entry %d: its key is not a JSON string", n)
		}
		if err := d.readKey(name.(string), dec); err != nil {
			return fmt.Errorf("entry %d (key with fingerprint %s): %w", n, Fingerprint(name.(string)), err)
		}
	}
	if _, err := dec.Token(); err != nil {
		return errors.New("ends before its closing brace")
	}
	if _, err := dec.Token(); err != io.EOF {
		return errors.New("has something behind its closing brace")
	}
	if d.Empty() {
		return errors.New("names no key, so nobody could use the API")
	}
	return nil
}

func (d *Directory) readKey(key string, dec *json.Decoder) error {
	var raw json.RawMessage
	if err := dec.Decode(&raw); err != nil {
		return errors.New("its value is not JSON")
	}
	var e keyEntry
	if err := strict(raw, &e); errors.As(err, new(*unknownMember)) {
		return err
	} else if err != nil || raw[0] != '{' {
		return errors.New(`its value must be an object with a string tenantId`)
	}
	if strings.TrimSpace(key) != key || key == "" {
		return errors.New("the key must not be empty or have white space around it")
	}
	if e.TenantID == nil {
		return checkTenant("")
	}
	if err := checkTenant(*e.TenantID); err != nil {
		return err
	}
	p, err := e.policy()
	if err != nil {
		return err
	}
	return d.add(digestOfKey(key), entry{who: principal(*e.TenantID, Fingerprint(key), tenantScopes, p)})
}

func principal(tenant, fingerprint string, scopes Scopes, p Policy) Principal {
	return Principal{Tenant: tenant, Subject: fingerprint, Fingerprint: fingerprint, Type: "api_key", Scopes: scopes, Policy: p}
}

func checkTenant(id string) error {
	if id == "" || len(id) > maxTenantBytes {
		return fmt.Errorf("tenantId must be a string of 1 to %d bytes", maxTenantBytes)
	}
	return nil
}

// readPolicies reads {"<tenantId>":{"maxConcurrentJobs":5,"maxDailyJobs":1000}}. They apply to tokens; a key has its own.
func (d *Directory) readPolicies(text []byte) error {
	if len(text) == 0 {
		return nil
	}
	var entries map[string]policyEntry
	if err := strict(text, &entries); errors.As(err, new(*unknownMember)) {
		return err
	} else if err != nil {
		return errors.New(`is not a JSON object: write {"<tenantId>":{"maxConcurrentJobs":5,"maxDailyJobs":1000}}`)
	}
	for tenant, e := range entries {
		if err := checkTenant(tenant); err != nil {
			return err
		}
		p, err := e.policy()
		if err != nil {
			return fmt.Errorf("tenant %q: %w", tenant, err)
		}
		d.policies[tenant] = p
	}
	return nil
}

// readAdmins reads ["<key>"].
func (d *Directory) readAdmins(text string) error {
	if text == "" {
		return nil
	}
	var keys []string
	if err := json.Unmarshal([]byte(text), &keys); err != nil {
		return errors.New(`is not a JSON array of strings: write ["<key>"]`)
	}
	for _, key := range keys {
		if key == "" || strings.TrimSpace(key) != key {
			return errors.New("a key must not be empty or have white space around it")
		}
		d.admins[digestOfKey(key)] = Fingerprint(key)
	}
	return nil
}

// fileEntry is one key of AUTH_FILE.
type fileEntry struct {
	SHA256    string    `json:"sha256"`
	TenantID  string    `json:"tenantId"`
	Scopes    []Scope   `json:"scopes"`
	ExpiresAt time.Time `json:"expiresAt"`
	Revoked   bool      `json:"revoked"`
	Comment   string    `json:"comment"`
	policyEntry
}

// readFile reads AUTH_FILE:
//
//	{"keys":[{"sha256":"<hex>","tenantId":"acme","scopes":["submit","read"],"expiresAt":"2027-01-01T00:00:00Z",
//	          "revoked":false,"maxConcurrentJobs":5,"maxDailyJobs":1000,"comment":"ci"}],
//	 "tenants":{"acme":{"maxConcurrentJobs":5}}}
func (d *Directory) readFile(content []byte) error {
	if content == nil {
		return nil
	}
	var file struct {
		Keys    []fileEntry     `json:"keys"`
		Tenants json.RawMessage `json:"tenants"`
	}
	if err := strict(content, &file); err != nil {
		return err
	}
	for i, e := range file.Keys {
		if err := d.readEntry(e); err != nil {
			return fmt.Errorf("key %d: %w", i+1, err)
		}
	}
	if err := d.readPolicies(file.Tenants); err != nil {
		return fmt.Errorf("tenants: %w", err)
	}
	return nil
}

func (d *Directory) readEntry(e fileEntry) error {
	sum, err := hex.DecodeString(e.SHA256)
	if err != nil || len(sum) != sha256.Size {
		return errors.New("sha256 must be the 64 hexadecimal digits of the key's SHA-256: see ccee key")
	}
	if err := checkTenant(e.TenantID); err != nil {
		return err
	}
	if len(e.Scopes) == 0 {
		e.Scopes = tenantScopes
	}
	for _, s := range e.Scopes {
		if !(Scopes{Read, Submit, Admin}).Has(s) {
			return fmt.Errorf("scope %q is none of read, submit, admin", s)
		}
	}
	p, err := e.policy()
	if err != nil {
		return err
	}
	who := principal(e.TenantID, hex.EncodeToString(sum[:8]), e.Scopes, p)
	return d.add(digestOf([sha256.Size]byte(sum)), entry{who: who, expires: e.ExpiresAt, revoked: e.Revoked})
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
