package auth

import (
	"sync"

	"github.com/go-jose/go-jose/v4/jwt"
)

// provenMax bounds the tokens that are remembered; the latest half of them is, at least.
const provenMax = 20_000

// proven remembers which tokens were good, by their digests. It does not say that they are good still: only that it is worth verifying them.
type proven struct {
	mu       sync.Mutex // guards the rest
	new, old map[digest]bool
}

func (p *proven) add(token string) {
	d := digestOfKey(token)
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.new[d] {
		return
	}
	if p.new == nil || len(p.new) >= provenMax/2 {
		p.new, p.old = map[digest]bool{}, p.new
	}
	p.new[d] = true
}

func (p *proven) has(token string) bool {
	d := digestOfKey(token)
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.new[d] || p.old[d]
}

// judge says whether a token may be good, without verifying it: it is well-formed, names a key that the provider has, and is not over. proven: it was
// good before.
func (j *JWT) judge(token string) (promising, proven bool) {
	if j.good.has(token) {
		return true, true
	}
	parsed, err := jwt.ParseSigned(token, algorithms)
	if err != nil || len(parsed.Headers) != 1 || !j.keys.has(parsed.Headers[0].KeyID) {
		return false, false
	}
	var std jwt.Claims
	return parsed.UnsafeClaimsWithoutVerification(&std) == nil && !j.over(std) && std.Issuer == j.opts.Issuer, false
}
