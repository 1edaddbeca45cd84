// SPDX-License-Identifier: Apache-2.0

package handoff

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"strings"
)

// Token is the one credential of a task.
type Token string

// tokenPrefix lets scanners for leaked secrets find tokens.
const tokenPrefix = "ccee-task-"

const tokenBytes = 32 // random

// The bounds of a nonce, in bytes.
const (
	minNonce = 16
	maxNonce = 128
)

// String hides the token from logs.
func (Token) String() string { return "(a task's token)" }

// GoString hides it from %#v too.
func (t Token) GoString() string { return t.String() }

func newToken() Token {
	var b [tokenBytes]byte
	rand.Read(b[:]) //nolint:errcheck // it never returns an error
	return Token(tokenPrefix + base64.RawURLEncoding.EncodeToString(b[:]))
}

// digests are what Redis knows credentials by.
type digests struct{ token, nonce string }

// credentials returns the digests of a token and a nonce, ErrVoid if one of them has not the right form: then Redis need not be asked.
func credentials(token Token, nonce string) (digests, error) {
	secret, ok := strings.CutPrefix(string(token), tokenPrefix)
	b, err := base64.RawURLEncoding.Strict().DecodeString(secret)
	if !ok || err != nil || len(b) != tokenBytes || len(nonce) < minNonce || len(nonce) > maxNonce {
		return digests{}, ErrVoid
	}
	return digests{digest(string(token)), digest(nonce)}, nil
}

func digest(s string) string {
	sum := sha256.Sum256([]byte(s))
	return hex.EncodeToString(sum[:])
}
