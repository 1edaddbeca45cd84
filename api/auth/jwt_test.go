// SPDX-License-Identifier: Apache-2.0

package auth

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"github.com/ccee-dev/ccee/e2e/patience"
)

// provider is an identity provider with a key set over HTTP.
type provider struct {
	t   *testing.T
	srv *httptest.Server

	mu   sync.Mutex // guards the rest
	kid  string     // of the key that signs
	key  *ecdsa.PrivateKey
	set  []any                                    // JSON Web Keys
	odd  func(http.ResponseWriter, *http.Request) // answers instead; nil: the set
	hits atomic.Int64

	now atomic.Int64 // the verifiers' clock, ns
}

func newProvider(t *testing.T) *provider {
	p := &provider{t: t}
	p.now.Store(time.Now().UnixNano())
	p.srv = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p.hits.Add(1)
		p.mu.Lock()
		defer p.mu.Unlock()
		if p.odd != nil {
			p.odd(w, r)
			return
		}
		_ = json.NewEncoder(w).Encode(map[string]any{"keys": p.set})
	}))
	t.Cleanup(p.srv.Close)
	p.rotate("key-1")
	return p
}

// rotate signs with a new key from now on, and has only that in its set.
func (p *provider) rotate(kid string) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		p.t.Fatal(err)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.kid, p.key = kid, key
	p.set = []any{
		map[string]any{"kty": "oct", "k": "YSBzaGFyZWQgc2VjcmV0IG9mIHRoaXJ0eS10d28gYnk", "kid": "shared"}, map[string]any{"kty": "strange", "kid": "x"},
		jose.JSONWebKey{Key: &key.PublicKey, KeyID: kid, Algorithm: "ES256", Use: "sig"},
	}
}

func (p *provider) answer(odd func(http.ResponseWriter, *http.Request)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.odd = odd
}

func (p *provider) clock() time.Time     { return time.Unix(0, p.now.Load()) }
func (p *provider) pass(d time.Duration) { p.now.Add(int64(d)) }

func (p *provider) verifier() *JWT {
	j, err := NewJWT(JWTOptions{JWKSURL: p.srv.URL, Issuer: "https://issuer", Audience: "ccee"})
	if err != nil {
		p.t.Fatal(err)
	}
	j.now = p.clock
	return j
}

// verify asks j, and ends the test when there is no answer: keys that are asked for again and again, say.
func (p *provider) verify(j *JWT, token string) (Principal, error) {
	p.t.Helper()
	ctx := patience.Context(p.t)
	who, err := j.Verify(ctx, token)
	if ctx.Err() != nil {
		p.t.Fatalf("no answer after %d requests for keys: %v", p.hits.Load(), context.Cause(ctx))
	}
	return who, err
}

// token signs good claims with changes; a nil one leaves the claim out.
func (p *provider) token(change map[string]any) string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.sign(jose.SigningKey{Algorithm: jose.ES256, Key: jose.JSONWebKey{Key: p.key, KeyID: p.kid}}, change)
}

func (p *provider) sign(key jose.SigningKey, change map[string]any) string {
	now := p.clock()
	claims := map[string]any{"iss": "https://issuer", "aud": []string{"ccee", "other"}, "sub": "someone", "custom:tenant_id": " acme ",
		"exp": now.Add(time.Minute).Unix(), "iat": now.Unix()}
	for k, v := range change {
		if claims[k] = v; v == nil {
			delete(claims, k)
		}
	}
	signer, err := jose.NewSigner(key, nil)
	if err != nil {
		p.t.Fatal(err)
	}
	s, err := jwt.Signed(signer).Claims(claims).Serialize()
	if err != nil {
		p.t.Fatal(err)
	}
	return s
}

func TestClaims(t *testing.T) {
	p := newProvider(t)
	j := p.verifier()
	now := p.clock().Unix()
	for name, tt := range map[string]struct {
		change map[string]any
		want   Reason
	}{
		"good":                   {nil, ""},
		"audience as a string":   {map[string]any{"aud": "ccee"}, ""},
		"nbf now":                {map[string]any{"nbf": now - 1}, ""},
		"no exp":                 {map[string]any{"exp": nil}, InvalidJWT},
		"expired":                {map[string]any{"exp": now - 6}, InvalidJWT},
		"expired this moment":    {map[string]any{"exp": now - 4}, ""},
		"exp is a string":        {map[string]any{"exp": "tomorrow"}, InvalidJWT},
		"not yet":                {map[string]any{"nbf": now + 61}, InvalidJWT},
		"a clock ahead":          {map[string]any{"nbf": now + 50, "iat": now + 50}, ""},
		"issued in the future":   {map[string]any{"iat": now + 61}, InvalidJWT},
		"other issuer":           {map[string]any{"iss": "https://issuer/"}, InvalidJWT},
		"no issuer":              {map[string]any{"iss": nil}, InvalidJWT},
		"other audience":         {map[string]any{"aud": "other"}, InvalidJWT},
		"no audience":            {map[string]any{"aud": nil}, InvalidJWT},
		"access token":           {map[string]any{"aud": nil, "token_use": "access", "client_id": "ccee"}, ""},
		"access token, other":    {map[string]any{"aud": nil, "token_use": "access", "client_id": "x"}, InvalidJWT},
		"client_id of no access": {map[string]any{"aud": nil, "client_id": "ccee"}, InvalidJWT},
		"no tenant":              {map[string]any{"custom:tenant_id": nil}, MissingTenantClaim},
		"blank tenant":           {map[string]any{"custom:tenant_id": " "}, MissingTenantClaim},
		"tenant is a number":     {map[string]any{"custom:tenant_id": 7}, MissingTenantClaim},
		"no subject":             {map[string]any{"sub": nil}, MissingSubjectClaim},
		"long tenant":            {map[string]any{"custom:tenant_id": strings.Repeat("x", 129)}, InvalidJWT},
		"long subject":           {map[string]any{"sub": strings.Repeat("x", 257)}, InvalidJWT},
	} {
		who, err := p.verify(j, p.token(tt.change))
		if reasonOf(err) != tt.want || (err == nil) != (tt.want == "") {
			t.Errorf("%s: %+v, %v, want %q", name, who, err, tt.want)
		}
	}
}

// What is not signed by a key of the provider is nothing, however it is made to look.
func TestForgedTokens(t *testing.T) {
	p := newProvider(t)
	j := p.verifier()
	good := p.token(nil)
	parts := strings.Split(good, ".")
	other := newProvider(t)
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	enc := base64.RawURLEncoding.EncodeToString
	public, _ := json.Marshal(jose.JSONWebKey{Key: &p.key.PublicKey, KeyID: "key-1"})
	forged := map[string]string{
		"none":                 enc([]byte(`{"alg":"none","kid":"key-1"}`)) + "." + parts[1] + ".",
		"no signature":         parts[0] + "." + parts[1] + ".",
		"another key's":        other.token(nil),
		"another claim":        parts[0] + "." + enc([]byte(`{"iss":"https://issuer","aud":"ccee","sub":"root","custom:tenant_id":"acme","exp":9999999999}`)) + "." + parts[2],
		"public key as secret": p.sign(jose.SigningKey{Algorithm: jose.HS256, Key: jose.JSONWebKey{Key: public, KeyID: "key-1"}}, nil),
		"shared secret":        p.sign(jose.SigningKey{Algorithm: jose.HS256, Key: jose.JSONWebKey{Key: []byte("a shared secret of thirty-two by"), KeyID: "shared"}}, nil),
		"another kind of key":  p.sign(jose.SigningKey{Algorithm: jose.RS256, Key: jose.JSONWebKey{Key: rsaKey, KeyID: "key-1"}}, nil),
		"key in the header":    embedded(t, p),
		"empty":                "", "dots": "..", "two parts": parts[0] + "." + parts[1], "junk": strings.Repeat("A", 20_000),
	}
	for name, token := range forged {
		if who, err := p.verify(j, token); reasonOf(err) != InvalidJWT {
			t.Errorf("%s: %+v, %v, want invalid_jwt", name, who, err)
		}
	}
	if _, err := p.verify(j, good); err != nil {
		t.Errorf("the good one: %v", err)
	}
}

// embedded is a token that brings the key to verify it with along.
func embedded(t *testing.T, p *provider) string {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: key}, &jose.SignerOptions{EmbedJWK: true})
	if err != nil {
		t.Fatal(err)
	}
	s, err := jwt.Signed(signer).Claims(map[string]any{"iss": "https://issuer", "aud": "ccee", "sub": "x", "custom:tenant_id": "acme",
		"exp": p.clock().Add(time.Minute).Unix()}).Serialize()
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestRotation(t *testing.T) {
	p := newProvider(t)
	j := p.verifier()
	old := p.token(nil)
	if _, err := p.verify(j, old); err != nil {
		t.Fatal(err)
	}
	p.rotate("key-2")
	if _, err := p.verify(j, p.token(nil)); reasonOf(err) != InvalidJWT || p.hits.Load() != 1 {
		t.Errorf("at once: %v after %d fetches; a key that is not known makes a fetch only after a pause", err, p.hits.Load())
	}
	p.pass(unknownPause)
	if _, err := p.verify(j, p.token(nil)); err != nil {
		t.Errorf("after the pause: %v", err)
	}
	if _, err := p.verify(j, old); reasonOf(err) != InvalidJWT {
		t.Errorf("the old key's: %v, want invalid_jwt", err)
	}
	if n := p.hits.Load(); n != 2 {
		t.Errorf("%d fetches, want 2", n)
	}
}

// A provider that can't be asked doesn't make good tokens bad.
func TestProviderAway(t *testing.T) {
	for name, odd := range map[string]func(http.ResponseWriter, *http.Request){
		"error":   func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(500) },
		"junk":    func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "<html>") },
		"no keys": func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, `{"keys":[]}`) },
		"secrets": func(w http.ResponseWriter, _ *http.Request) {
			fmt.Fprint(w, `{"keys":[{"kty":"oct","k":"c2VjcmV0","kid":"key-1"}]}`)
		},
		"endless": func(w http.ResponseWriter, _ *http.Request) {
			fmt.Fprintf(w, `{"keys":[%s`, strings.Repeat(" ", 2*maxKeySet))
		},
		"cut off": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "100")
			fmt.Fprint(w, `{`)
		},
		"redirect": func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/again", http.StatusFound) },
	} {
		t.Run(name, func(t *testing.T) {
			p := newProvider(t)
			j := p.verifier()
			token := p.token(nil)
			p.answer(odd)
			for range 3 {
				if _, err := p.verify(j, token); !errors.Is(err, ErrUnavailable) {
					t.Fatalf("%v, want ErrUnavailable", err)
				}
			}
			if n := p.hits.Load(); n > 11 { // one fetch; a redirect is followed ten times
				t.Errorf("%d requests for three tokens", n)
			}
			p.answer(nil)
			p.pass(failedPause)
			if _, err := p.verify(j, token); err != nil {
				t.Errorf("it is back: %v", err)
			}
			// Away again: what is known serves on, for a day.
			p.answer(odd)
			p.pass(keysFresh)
			token = p.token(nil)
			for range 3 {
				if _, err := p.verify(j, token); err != nil {
					t.Errorf("with keys that are known: %v", err)
				}
			}
			p.pass(keysStale)
			if _, err := p.verify(j, p.token(nil)); !errors.Is(err, ErrUnavailable) {
				t.Errorf("a day later: %v, want ErrUnavailable", err)
			}
		})
	}
}

// However many tokens come at once, the keys are fetched once.
func TestOneFetch(t *testing.T) {
	p := newProvider(t)
	j := p.verifier()
	token := p.token(nil)
	var wg sync.WaitGroup
	for range 50 {
		wg.Go(func() {
			if _, err := j.Verify(patience.Context(t), token); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if n := p.hits.Load(); n != 1 {
		t.Errorf("%d fetches, want 1", n)
	}
}

// Of a key set only public keys for signatures are used, and a bounded number of them.
func TestParseKeySet(t *testing.T) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	encode := func(k jose.JSONWebKey) string {
		b, err := json.Marshal(k)
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	good := encode(jose.JSONWebKey{Key: &key.PublicKey, KeyID: "good", Use: "sig"})
	for name, tt := range map[string]struct {
		keys []string
		want int
	}{
		"for signatures":      {[]string{good}, 1},
		"without a use":       {[]string{encode(jose.JSONWebKey{Key: &key.PublicKey, KeyID: "a"})}, 1},
		"for encryption":      {[]string{good, encode(jose.JSONWebKey{Key: &key.PublicKey, KeyID: "b", Use: "enc"})}, 1},
		"a private key":       {[]string{good, encode(jose.JSONWebKey{Key: key, KeyID: "c"})}, 1},
		"of an unknown kind":  {[]string{good, `{"kty":"XX","kid":"d"}`, `7`}, 1},
		"as many as are used": {slices.Repeat([]string{good}, maxKeys), maxKeys},
		"one more":            {slices.Repeat([]string{good}, maxKeys+1), maxKeys},
	} {
		keys, err := parseKeySet([]byte(`{"keys":[` + strings.Join(tt.keys, ",") + `]}`))
		if err != nil || len(keys) != tt.want {
			t.Errorf("%s: %d keys, %v, want %d", name, len(keys), err, tt.want)
		}
	}
	set := `{"keys":[` + good + `]}`
	if _, err := parseKeySet([]byte(set + strings.Repeat(" ", maxKeySet-len(set)))); err != nil {
		t.Errorf("a set of the largest size: %v", err)
	}
	if _, err := parseKeySet([]byte(set + strings.Repeat(" ", maxKeySet-len(set)+1))); err == nil {
		t.Error("a set that is a byte too large was taken")
	}
}

// A key that the provider has for one algorithm verifies no token of another.
func TestAlgorithmOfTheKey(t *testing.T) {
	p := newProvider(t)
	for alg, want := range map[string]Reason{"": "", "ES256": "", "ES384": InvalidJWT} {
		p.answer(func(w http.ResponseWriter, _ *http.Request) {
			_ = json.NewEncoder(w).Encode(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: &p.key.PublicKey, KeyID: "key-1", Algorithm: alg}}})
		})
		if _, err := p.verify(p.verifier(), p.token(nil)); reasonOf(err) != want {
			t.Errorf("a key for %q: %v, want %q", alg, err, want)
		}
	}
}

func TestJWTOptions(t *testing.T) {
	good := JWTOptions{JWKSURL: "https://x/keys", Issuer: "i", Audience: "a"}
	if _, err := NewJWT(good); err != nil {
		t.Fatal(err)
	}
	for _, change := range []func(*JWTOptions){
		func(o *JWTOptions) { o.JWKSURL = "" }, func(o *JWTOptions) { o.Issuer = "" }, func(o *JWTOptions) { o.Audience = "" },
		func(o *JWTOptions) { o.JWKSURL = "file:///etc/passwd" }, func(o *JWTOptions) { o.JWKSURL = "x" },
		func(o *JWTOptions) { o.JWKSURL = "ftp://x/keys" }, func(o *JWTOptions) { o.JWKSURL = "https:///keys" }, func(o *JWTOptions) { o.JWKSURL = "https://x:port/" },
	} {
		o := good
		change(&o)
		if _, err := NewJWT(o); err == nil {
			t.Errorf("%+v was taken", o)
		}
	}
}

func FuzzKeySet(f *testing.F) {
	f.Add([]byte(`{"keys":[{"kty":"EC","crv":"P-256","x":"AA","y":"AA","kid":"a"}]}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		keys, err := parseKeySet(b)
		for _, k := range keys {
			if !k.IsPublic() || err != nil {
				t.Errorf("key %+v, %v", k, err)
			}
		}
	})
}

func FuzzToken(f *testing.F) {
	f.Add("eyJhbGciOiJub25lIn0.e30.")
	key, _ := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	j, _ := NewJWT(JWTOptions{JWKSURL: "http://127.0.0.1:1/", Issuer: "i", Audience: "a"})
	j.keys.keys, j.keys.fetched, j.keys.tried = []jose.JSONWebKey{{Key: &key.PublicKey, KeyID: "k"}}, time.Now(), time.Now()
	f.Fuzz(func(t *testing.T, s string) {
		if who, err := j.Verify(t.Context(), s); err == nil {
			t.Errorf("%q is of %+v", s, who)
		}
	})
}
