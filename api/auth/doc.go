// Package auth turns the credentials of an HTTP request into a Principal: the tenant that pays for the request, the subject that
// made it, and what the credential may be used for.
//
// Gate is the Authenticator. It looks an API key up in a Directory, which is made of the environment and of a file and is
// exchanged as a whole when the file changes (Live), or it verifies a token with a JWT, whose keys come from the identity
// provider. The package decides who somebody is; quotas and rates travel in the Principal and are enforced by package api and
// the queue.
package auth
