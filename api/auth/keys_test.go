// SPDX-License-Identifier: Apache-2.0

package auth

import (
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestFingerprint(t *testing.T) {
	if got, want := Fingerprint("dev-local-key"), "3700285e3c8496a5"; got != want {
		t.Errorf("Fingerprint(dev-local-key) = %s, want %s", got, want)
	}
}

func TestKeysAuthenticate(t *testing.T) {
	keys := newGate(t, APIKeyMode, Sources{KeysJSON: `{
		"dev-local-key": {"tenantId": "tenant-dev"},
		"second-key":    {"tenantId": "tenant-dev", "maxConcurrentJobs": "7", "maxDailyJobs": 12}}`}, nil)
	dev := Principal{Tenant: "tenant-dev", Subject: "3700285e3c8496a5", Fingerprint: "3700285e3c8496a5", Type: "api_key", Scopes: tenantScopes,
		Policy: Policy{MaxConcurrentJobs: 5, MaxDailyJobs: 1000}}
	second := Principal{Tenant: "tenant-dev", Subject: Fingerprint("second-key"), Fingerprint: Fingerprint("second-key"),
		Type: "api_key", Scopes: tenantScopes, Policy: Policy{MaxConcurrentJobs: 7, MaxDailyJobs: 12}}
	for _, tt := range []struct {
		name   string
		header http.Header
		want   Principal
		reason Reason
	}{
		{"a known key", http.Header{"X-Api-Key": {"dev-local-key"}}, dev, ""},
		{"white space around it", http.Header{"X-Api-Key": {" dev-local-key\t"}}, dev, ""},
		{"the tenant's other key has its own numbers", http.Header{"X-Api-Key": {"second-key"}}, second, ""},
		{"none", http.Header{}, Principal{}, MissingAPIKey},
		{"a blank one", http.Header{"X-Api-Key": {"  "}}, Principal{}, MissingAPIKey},
		{"an unknown one", http.Header{"X-Api-Key": {"dev-local-kez"}}, Principal{}, InvalidAPIKey},
		{"a prefix", http.Header{"X-Api-Key": {"dev-local"}}, Principal{}, InvalidAPIKey},
		{"twice", http.Header{"X-Api-Key": {"dev-local-key", "dev-local-key"}}, Principal{}, InvalidAPIKey},
		{"as a bearer token", http.Header{"Authorization": {"Bearer dev-local-key"}}, Principal{}, MissingAPIKey},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := keys.Authenticate(t.Context(), tt.header)
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("principal (-want +got):\n%s", diff)
			}
			var refused *Refusal
			switch {
			case tt.reason == "" && err != nil:
				t.Errorf("error %v, want none", err)
			case tt.reason != "" && (!errors.As(err, &refused) || refused.Reason != tt.reason):
				t.Errorf("error %v, want reason %s", err, tt.reason)
			}
		})
	}
}

func TestKeysJSONRefuses(t *testing.T) {
	for _, tt := range []struct{ name, text, want string }{
		{"nothing", " ", "is not a JSON object"},
		{"an array", `["k"]`, "is not a JSON object"},
		{"no key", `{}`, "names no key"},
		{"cut short", `{"secret":{"tenantId":"t"}`, "ends before"},
		{"more behind it", `{"secret":{"tenantId":"t"}} {}`, "behind its closing brace"},
		{"an empty key", `{"":{"tenantId":"t"}}`, "must not be empty"},
		{"white space in the key", `{" secret":{"tenantId":"t"}}`, "white space"},
		{"the same key twice", `{"secret":{"tenantId":"t"},"secret":{"tenantId":"u"}}`, "entry 2 (key with fingerprint"},
		{"no tenant", `{"secret":{}}`, "tenantId must be"},
		{"null", `{"secret":null}`, "must be an object"},
		{"a tenant that is no string", `{"secret":{"tenantId":7}}`, "must be an object with a string tenantId"},
		{"an empty tenant", `{"secret":{"tenantId":""}}`, "tenantId must be"},
		{"a long tenant", `{"secret":{"tenantId":"` + strings.Repeat("x", 129) + `"}}`, "1 to 128"},
		{"a misspelt quota", `{"secret":{"tenantId":"t","maxConcurrentJob":5}}`, `no member "maxConcurrentJob": tenantId, maxConcurrentJobs, maxDailyJobs and maxStoredBytes are known`},
		{"a quota in other letters", `{"secret":{"tenantId":"t","MaxStoredBytes":5}}`, `no member "MaxStoredBytes"`},
		{"no concurrency", `{"secret":{"tenantId":"t","maxConcurrentJobs":0}}`, "maxConcurrentJobs is 0"},
		{"too much of it", `{"secret":{"tenantId":"t","maxConcurrentJobs":1001}}`, "from 1 to 1000"},
		{"half a job", `{"secret":{"tenantId":"t","maxDailyJobs":1.5}}`, "maxDailyJobs is 1.5"},
		{"null jobs", `{"secret":{"tenantId":"t","maxDailyJobs":null}}`, "maxDailyJobs is null"},
		{"too many of them", `{"secret":{"tenantId":"t","maxDailyJobs":"1000001"}}`, "from 1 to 1000000"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := NewDirectory(Sources{KeysJSON: tt.text})
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Fatalf("NewDirectory(%s) = %v, want an error with %q", tt.text, err, tt.want)
			}
			if strings.Contains(err.Error(), "secret") {
				t.Errorf("the error gives the key away: %v", err)
			}
		})
	}
}

func TestDevKeys(t *testing.T) {
	g := newGate(t, APIKeyMode, Sources{KeysJSON: DevKeysJSON, AdminsJSON: DevAdminKeysJSON}, nil)
	if who, err := g.AuthenticateAdmin(http.Header{"X-Api-Key": {"dev-local-key"}}); err != nil || who.Tenant != "tenant-dev" {
		t.Errorf("%+v, %v", who, err)
	}
}
