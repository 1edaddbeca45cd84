// Package auth turns the credentials of an HTTP request into a Principal: the tenant that pays for the request and the
// subject that made it.
//
// An Authenticator is one way to do that. Keys, the API keys of TENANT_API_KEYS_JSON, is the one that is built in; it needs
// no network and no clock. The package decides who somebody is, never what they may do: quotas and rates travel in the
// Principal and are enforced by package api and the queue.
package auth
