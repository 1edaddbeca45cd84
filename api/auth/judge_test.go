// SPDX-License-Identifier: Apache-2.0

package auth

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// Before a token is verified it is known whether that is worth while: what can't be valid costs nothing, what was valid is let through.
func TestJudge(t *testing.T) {
	p := newProvider(t)
	j := p.verifier()
	good := p.token(nil)
	judge := func(token string) [2]bool {
		promising, proven := j.judge(token)
		return [2]bool{promising, proven}
	}
	if got := judge(good); got != [2]bool{false, false} {
		t.Errorf("before any key is known: %v", got)
	}
	if _, err := p.verify(j, good); err != nil {
		t.Fatal(err)
	}
	p.mu.Lock()
	p.kid = "unknown"
	p.mu.Unlock()
	unknown := p.token(nil)
	p.mu.Lock()
	p.kid = "key-1"
	p.mu.Unlock()
	for name, tt := range map[string]struct {
		token string
		want  [2]bool
	}{
		"verified before": {good, [2]bool{true, true}}, "not verified yet": {p.token(map[string]any{"sub": "another"}), [2]bool{true, false}},
		"another issuer's": {p.token(map[string]any{"iss": "https://other"}), [2]bool{}}, "without an issuer": {p.token(map[string]any{"iss": nil}), [2]bool{}},
		"expired": {p.token(map[string]any{"exp": p.clock().Add(-time.Minute).Unix()}), [2]bool{}}, "of an unknown key": {unknown, [2]bool{}},
		"junk": {"a.b.c", [2]bool{}},
	} {
		if got := judge(tt.token); got != tt.want {
			t.Errorf("%s: promising, proven = %v, want %v", name, got, tt.want)
		}
	}
}

// However many tokens were valid, a bounded number is remembered, the latest ones among them.
func TestProvenIsBounded(t *testing.T) {
	var p proven
	const all = 2*provenMax + 10
	for i := range all {
		p.add(fmt.Sprint(i))
	}
	if n := len(p.new) + len(p.old); n > provenMax {
		t.Errorf("%d tokens are remembered, at most %d should be", n, provenMax)
	}
	for _, i := range []int{all - 1, all - provenMax/2} {
		if !p.has(fmt.Sprint(i)) {
			t.Errorf("token %d of %d is forgotten", i, all)
		}
	}
	if p.has("0") {
		t.Error("the first token is remembered")
	}
}

// An answer that is not 200 has no keys, whatever is in it.
func TestErrorWithKeys(t *testing.T) {
	p := newProvider(t)
	j, token := p.verifier(), p.token(nil)
	p.answer(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusInternalServerError)
		fmt.Fprint(w, `{"keys":[{"kty":"EC","crv":"P-256","kid":"key-1","x":"MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4","y":"4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM"}]}`)
	})
	if _, err := p.verify(j, token); reasonOf(err) != "" || err == nil {
		t.Errorf("%v, want ErrUnavailable", err)
	}
}

// Tokens of a tenant have the policy of its first key, unless it has its own.
func TestPolicyOfTokens(t *testing.T) {
	d, err := NewDirectory(Sources{KeysJSON: `{"one":{"tenantId":"acme","maxDailyJobs":7},"two":{"tenantId":"acme","maxDailyJobs":9}}`})
	if err != nil || d.policies["acme"].MaxDailyJobs != 7 {
		t.Errorf("%+v, %v, want that of the first key", d.policies, err)
	}
	d, err = NewDirectory(Sources{KeysJSON: `{"one":{"tenantId":"acme","maxDailyJobs":7}}`, PoliciesJSON: `{"acme":{"maxDailyJobs":5}}`})
	if err != nil || d.policies["acme"].MaxDailyJobs != 5 {
		t.Errorf("%+v, %v, want the tenant's own", d.policies, err)
	}
}

// A file that was changed in place is read again although its size is the same; one that is too large is not read.
func TestFileOfTheSameSize(t *testing.T) {
	path := filepath.Join(t.TempDir(), "auth.json")
	at := time.Now().Add(-time.Hour)
	write := func(key string) {
		t.Helper()
		at = at.Add(time.Second)
		if err := os.WriteFile(path, []byte(`{"keys":[{"sha256":"`+hashOf(key)+`","tenantId":"acme"}]}`), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(path, at, at); err != nil {
			t.Fatal(err)
		}
	}
	write("one")
	live, err := NewLive(Sources{}, path)
	if err != nil {
		t.Fatal(err)
	}
	write("two")
	if changed, err := live.Reload(); !changed || err != nil {
		t.Errorf("reloaded %v, %v, want that it was", changed, err)
	}
	if _, known := live.Directory().lookup("two", time.Now()); !known {
		t.Error("the new key is not known")
	}
	if err := os.WriteFile(path, []byte(strings.Repeat(" ", maxFile+1)), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := live.Reload(); err == nil || !strings.Contains(err.Error(), "larger") {
		t.Errorf("a file of %d bytes: %v", maxFile+1, err)
	}
	if _, known := live.Directory().lookup("two", time.Now()); !known {
		t.Error("a bad file has taken the keys away")
	}
}
