// SPDX-License-Identifier: Apache-2.0

// Package auth turns the credentials of an HTTP request into a Principal: the tenant that pays for the request, the subject that
// made it, and what the credential may be used for.
//
// Gate is the Authenticator. It looks an API key up in a Directory, which is made of the environment and of a file and is
// replaced as a whole when the file changes (Live), or it verifies a token with a JWT, whose keys come from the identity
// provider. The package decides who somebody is; quotas and rates travel in the Principal and are enforced by package api and
// the queue.
//
// # Key sets
//
// Parsing keys and tokens and all cryptography is go-jose's. The cache of the provider's keys (keyset.go) is ours, because the libraries
// that have one leave out what anybody on the network could use against us or the provider:
//
//   - coreos/go-oidc v3.21 (RemoteKeySet) reads an answer of any size, fetches the keys again for each token that names an unknown key or
//     has a bad signature, without a pause, and keeps withdrawn keys for as long as known ones verify.
//   - lestrrat-go/jwx v3.4 (jwk.Cache) bounds the answer and refreshes in the background, but has no refresh for an unknown key with a
//     pause between two, and serves old keys without end while the provider is unreachable. Around it most of keyset.go would stay. It
//     brings eight modules.
//
// Here an answer is at most maxKeySet bytes and maxKeys keys, private and encryption keys are dropped, an unknown key makes at most one
// fetch in unknownPause, concurrent requests share a fetch that none of them can cancel, and old keys serve for keysStale while fetches
// fail.
package auth
