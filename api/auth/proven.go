// SPDX-License-Identifier: Apache-2.0

package auth

import (
	"sync"

	"github.com/go-jose/go-jose/v4/jwt"
)

// provenMax bounds the remembered tokens; at least the latest half as many are remembered.
const provenMax = 20_000

// proven remembers the digests of tokens that were valid. They may have expired since: it says only that they are worth verifying.
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

// judge reports, without verifying a token, whether it may be valid: it is well-formed, names a key of the provider and has not expired.
// proven: it was valid before.
func (j *JWT) judge(token string) (promising, proven bool) {
	if j.good.has(token) {
		return true, true
	}
	parsed, err := jwt.ParseSigned(token, algorithms)
	if err != nil || len(parsed.Headers) != 1 || !j.keys.has(parsed.Headers[0].KeyID) {
		return false, false
	}
	var std jwt.Claims
	return parsed.UnsafeClaimsWithoutVerification(&std) == nil && !j.expired(std) && std.Issuer == j.opts.Issuer, false
}
