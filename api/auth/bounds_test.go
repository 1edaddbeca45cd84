// SPDX-License-Identifier: Apache-2.0

package auth

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// Numbers of a tenant may be as large as errors say, and no larger; what is not set has its default.
func TestQuotasAtTheirBounds(t *testing.T) {
	for _, tt := range []struct {
		name    string
		most    int64
		current func(Policy) int64
		def     int64
	}{
		{"maxConcurrentJobs", 1_000, func(p Policy) int64 { return p.MaxConcurrentJobs }, 5},
		{"maxDailyJobs", 1_000_000, func(p Policy) int64 { return p.MaxDailyJobs }, 1_000},
		{"maxStoredBytes", 1 << 40, func(p Policy) int64 { return p.MaxStoredBytes }, 0},
	} {
		for value, want := range map[string]int64{"": tt.def, "0": -1, "1": 1, `"1"`: 1, fmt.Sprint(tt.most): tt.most, fmt.Sprint(tt.most + 1): -1} {
			member := ""
			if value != "" {
				member = fmt.Sprintf(`,%q:%s`, tt.name, value)
			}
			live, err := NewLive(Sources{KeysJSON: `{"k":{"tenantId":"t"` + member + `}}`}, "")
			if (err != nil) != (want < 0) {
				t.Errorf("%s = %s: %v", tt.name, value, err)
			}
			if err != nil {
				continue
			}
			g, err := NewGate(APIKeyMode, live, nil)
			if err != nil {
				t.Fatal(err)
			}
			who, err := g.Authenticate(t.Context(), withKey("k"))
			if got := tt.current(who.Policy); err != nil || got != want {
				t.Errorf("%s = %s: %d, %v, want %d", tt.name, value, got, err, want)
			}
		}
	}
}

// A tenant's name may have 128 bytes, by key as by token.
func TestNamesAtTheirBounds(t *testing.T) {
	p := newProvider(t)
	j := p.verifier()
	for n, ok := range map[int]bool{128: true, 129: false} {
		name := strings.Repeat("t", n)
		if _, err := NewLive(Sources{KeysJSON: `{"k":{"tenantId":"` + name + `"}}`}, ""); (err == nil) != ok {
			t.Errorf("a key of a tenant of %d bytes: %v", n, err)
		}
		if _, err := p.verify(j, p.token(map[string]any{"custom:tenant_id": name})); (err == nil) != ok {
			t.Errorf("a token of a tenant of %d bytes: %v", n, err)
		}
	}
	for n, ok := range map[int]bool{maxSubject: true, maxSubject + 1: false} {
		if _, err := p.verify(j, p.token(map[string]any{"sub": strings.Repeat("s", n)})); (err == nil) != ok {
			t.Errorf("a token of a subject of %d bytes: %v", n, err)
		}
	}
}

// Operators' keys without a tenant are listed in order, by their fingerprints.
func TestUnmapped(t *testing.T) {
	d, err := NewDirectory(Sources{KeysJSON: `{"known":{"tenantId":"t"}}`, AdminsJSON: `["known","one","two","three","four"]`})
	if err != nil {
		t.Fatal(err)
	}
	want := []string{Fingerprint("one"), Fingerprint("two"), Fingerprint("three"), Fingerprint("four")}
	slices.Sort(want)
	if got := d.Unmapped(); !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}

// Only a token can be a costly one, and only where tokens are accepted: the rest is looked up.
func TestJudgeOfAGate(t *testing.T) {
	p := newProvider(t)
	j := p.verifier()
	token := map[string][]string{"Authorization": {"Bearer not.a.token"}}
	for _, tt := range []struct {
		name      string
		mode      Mode
		verifier  *JWT
		headers   map[string][]string
		promising bool
	}{
		{"a bad token", HybridMode, j, token, false},
		{"no token", HybridMode, j, withKey("k"), true},
		{"a gate for keys alone", APIKeyMode, nil, token, true},
		{"a gate for keys alone that has a verifier", APIKeyMode, j, token, true},
	} {
		promising, proven := newGate(t, tt.mode, Sources{KeysJSON: `{"k":{"tenantId":"t"}}`}, tt.verifier).Judge(tt.headers)
		if promising != tt.promising || proven != tt.promising {
			t.Errorf("%s: promising %v, proven %v, want %v", tt.name, promising, proven, tt.promising)
		}
	}
}
