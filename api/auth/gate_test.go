// SPDX-License-Identifier: Apache-2.0

package auth

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func newGate(t *testing.T, mode Mode, s Sources, j *JWT) *Gate {
	t.Helper()
	live, err := NewLive(s, "")
	if err != nil {
		t.Fatal(err)
	}
	g, err := NewGate(mode, live, j)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

func reasonOf(err error) Reason {
	var r *Refusal
	if errors.As(err, &r) {
		return r.Reason
	}
	return ""
}

func withKey(key string) http.Header { return http.Header{"X-Api-Key": {key}} }

func hashOf(key string) string {
	sum := sha256.Sum256([]byte(key))
	return hex.EncodeToString(sum[:])
}

func TestAdmins(t *testing.T) {
	file := fmt.Sprintf(`{"keys":[{"sha256":%q,"tenantId":"ops","scopes":["admin"]}]}`, hashOf("ops-key"))
	g := newGate(t, APIKeyMode, Sources{KeysJSON: `{"a":{"tenantId":"t"},"b":{"tenantId":"t"}}`, AdminsJSON: `["a","nobody"]`, File: []byte(file)}, nil)
	for key, want := range map[string]Reason{"": AdminMissing, "a": "", "b": AdminForbidden, "x": AdminForbidden, "nobody": AdminNotMapped, "ops-key": ""} {
		who, err := g.AuthenticateAdmin(withKey(key))
		if reasonOf(err) != want || (err == nil) != (want == "") || (who.Tenant != "") != (err == nil) {
			t.Errorf("key %q: %+v, %v, want reason %q", key, who, err, want)
		}
	}
	who, err := g.Authenticate(t.Context(), withKey("ops-key"))
	if err != nil || who.Scopes.Has(Read) || who.Scopes.Has(Submit) || !who.Scopes.Has(Admin) {
		t.Errorf("the operator's key: %+v, %v, want the scope admin alone", who, err)
	}
}

// A key can be added, revoked, and expire while the service runs; a broken file changes nothing.
func TestFileIsReadAgain(t *testing.T) {
	path := filepath.Join(t.TempDir(), "auth.json")
	n := 0
	write := func(content string) {
		t.Helper()
		n++ // rename, as an editor does: the file is another one
		tmp := fmt.Sprint(path, n)
		if err := os.WriteFile(tmp, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(tmp, path); err != nil {
			t.Fatal(err)
		}
	}
	entry := func(key, more string) string {
		return fmt.Sprintf(`{"sha256":%q,"tenantId":"acme"%s}`, hashOf(key), more)
	}
	write(`{"keys":[` + entry("one", "") + `],"tenants":{"acme":{"maxDailyJobs":3}}}`)
	live, err := NewLive(Sources{KeysJSON: `{"env":{"tenantId":"env"}}`}, path)
	if err != nil {
		t.Fatal(err)
	}
	g, err := NewGate(APIKeyMode, live, nil)
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	g.now = func() time.Time { return now }
	good := func(key string) bool {
		_, err := g.Authenticate(t.Context(), withKey(key))
		if err != nil && reasonOf(err) != InvalidAPIKey {
			t.Errorf("key %s: %v", key, err)
		}
		return err == nil
	}
	want := func(what string, changed, one, two bool) {
		t.Helper()
		got, err := live.Reload()
		if got != changed {
			t.Errorf("%s: reloaded %v (%v), want %v", what, got, err, changed)
		}
		if good("one") != one || good("two") != two || !good("env") {
			t.Errorf("%s: one %v, two %v, env %v; want %v, %v, true", what, good("one"), good("two"), good("env"), one, two)
		}
	}
	want("as it was", false, true, false)
	write(`{"keys":[` + entry("one", `,"revoked":true`) + `,` + entry("two", `,"expiresAt":"`+now.Add(time.Hour).Format(time.RFC3339Nano)+`"`) + `]}`)
	want("revoked and added", true, false, true)
	write(`{"keys":[{]}`)
	want("broken", false, false, true)
	write(`{"keys":[` + entry("one", `,"revokd":true`) + `]}`)
	want("misspelled", false, false, true)
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	want("gone", false, false, true)
	now = now.Add(time.Hour)
	if good("two") {
		t.Error("an expired key is good")
	}
}

func TestFileRefuses(t *testing.T) {
	good := `"sha256":"` + hashOf("k") + `","tenantId":"t"`
	for _, tt := range []struct{ content, want string }{
		{``, "EOF"}, {`[]`, "cannot unmarshal"}, {`{} {}`, "behind its closing brace"},
		{`{"keys":[{"tenantId":"t"}]}`, "key 1: sha256 must be"},
		{`{"keys":[{"sha256":"ab","tenantId":"t"}]}`, "key 1: sha256 must be"},
		{`{"keys":[{` + good + `},{` + good + `}]}`, "key 2: the key is listed twice"},
		{`{"keys":[{"sha256":"` + hashOf("k") + `"}]}`, "tenantId must be"},
		{`{"keys":[{` + good + `,"scopes":["root"]}]}`, `scope "root"`},
		{`{"keys":[{` + good + `,"maxDailyJobs":0}]}`, "maxDailyJobs is 0"},
		{`{"keys":[{` + good + `,"key":"k"}]}`, `there is no member "key": sha256, tenantId, scopes, expiresAt, revoked, comment, maxConcurrentJobs, maxDailyJobs and maxStoredBytes are known`},
		{`{"keys":[{` + good + `,"Revoked":true}]}`, `there is no member "Revoked"`},
		{`{"Keys":[]}`, `there is no member "Keys": keys and tenants are known`},
		{`{"tenants":{"t":{"maxdailyjobs":1}}}`, `there is no member "maxdailyjobs": maxConcurrentJobs, maxDailyJobs and maxStoredBytes are known`},
		{`{"tenants":{"":{}}}`, "tenantId must be"},
	} {
		if _, err := NewDirectory(Sources{File: []byte(tt.content)}); err == nil || !strings.Contains(err.Error(), tt.want) || !strings.HasPrefix(err.Error(), "AUTH_FILE: ") {
			t.Errorf("%s: %v, want %q", tt.content, err, tt.want)
		}
	}
	for _, s := range []Sources{{PoliciesJSON: "[]"}, {PoliciesJSON: `{"t":{"maxDailyJobs":0}}`}, {PoliciesJSON: `{"t":{"maxDailyJob":1}}`},
		{PoliciesJSON: `{} {}`}, {AdminsJSON: "{}"}, {AdminsJSON: `[""]`}, {AdminsJSON: `[" x"]`}} {
		if _, err := NewDirectory(s); err == nil {
			t.Errorf("%+v was taken", s)
		}
	}
}

func TestModes(t *testing.T) {
	p := newProvider(t)
	keys := Sources{KeysJSON: `{"k":{"tenantId":"acme"}}`, PoliciesJSON: `{"acme":{"maxDailyJobs":7}}`}
	token, bad := "Bearer "+p.token(nil), "Bearer "+p.token(map[string]any{"iss": "x"})
	for _, tt := range []struct {
		mode Mode
		jwt  *JWT
		h    http.Header
		want Reason
		typ  string
	}{
		{APIKeyMode, nil, http.Header{"Authorization": {token}}, MissingAPIKey, ""},
		{JWTMode, p.verifier(), http.Header{"Authorization": {token}}, "", "jwt"},
		{JWTMode, p.verifier(), http.Header{"Authorization": {"bEaReR  " + token[7:]}}, "", "jwt"},
		{JWTMode, p.verifier(), withKey("k"), MissingBearer, ""},
		{JWTMode, p.verifier(), http.Header{"Authorization": {"Basic eDp5"}}, MissingBearer, ""},
		{HybridMode, p.verifier(), withKey("k"), "", "api_key"},
		{HybridMode, p.verifier(), http.Header{"Authorization": {token}}, "", "jwt"},
		{HybridMode, p.verifier(), http.Header{"Authorization": {bad}, "X-Api-Key": {"k"}}, InvalidJWT, ""},
		{HybridMode, p.verifier(), http.Header{"Authorization": {"Basic eDp5"}, "X-Api-Key": {"k"}}, "", "api_key"},
		{HybridMode, p.verifier(), http.Header{}, MissingAPIKey, ""},
		{HybridMode, nil, http.Header{"Authorization": {token}}, JWTNotConfigured, ""},
		{JWTMode, p.verifier(), http.Header{"Authorization": {"Bearer " + p.token(map[string]any{"custom:tenant_id": "other"})}}, UnknownTenantPolicy, ""},
	} {
		who, err := newGate(t, tt.mode, keys, tt.jwt).Authenticate(t.Context(), tt.h)
		if reasonOf(err) != tt.want || (err == nil) != (tt.want == "") || who.Type != tt.typ {
			t.Errorf("%s %.60v: %+v, %v, want %q", tt.mode, tt.h, who, err, tt.want)
		}
		if who.Type == "jwt" && (who.MaxDailyJobs != 7 || who.Tenant != "acme" || who.Subject != "someone" ||
			who.Fingerprint != Fingerprint("jwt:acme:someone") || !who.Scopes.Has(Submit) || who.Scopes.Has(Admin)) {
			t.Errorf("principal %+v", who)
		}
	}
	live, _ := NewLive(Sources{}, "")
	for _, mode := range []Mode{APIKeyMode, JWTMode, "", "none"} {
		if _, err := NewGate(mode, live, nil); err == nil {
			t.Errorf("mode %q without keys and provider was taken", mode)
		}
	}
}

func FuzzAuthFile(f *testing.F) {
	f.Add([]byte(`{"keys":[{"sha256":"00","tenantId":"t","scopes":["read"],"expiresAt":"2027-01-01T00:00:00Z"}],"tenants":{"a":{"maxDailyJobs":"3"}}}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		d, err := NewDirectory(Sources{File: b})
		if err != nil {
			return
		}
		for _, e := range d.keys {
			if e.who.Tenant == "" || len(e.who.Scopes) == 0 || e.who.MaxDailyJobs < 1 {
				t.Errorf("entry %+v", e)
			}
		}
	})
}

func FuzzBearer(f *testing.F) {
	f.Add("Bearer x")
	f.Fuzz(func(t *testing.T, s string) {
		if token, there := bearer(http.Header{"Authorization": {s}}); there && (token == "" || strings.TrimSpace(token) != token) {
			t.Errorf("%q is the token %q", s, token)
		}
	})
}
