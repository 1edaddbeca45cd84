// SPDX-License-Identifier: Apache-2.0

// Package cert makes and loads the certificates of mutual TLS between machines: an authority and what it issues (authority.go), files
// that are read again when they change (store.go), and the settings of both ends of a connection (tls.go).
//
// The settings leave no choice: TLS 1.3, a certificate that chains to the file of authorities on both sides, one that is for that role
// (a daemon's can't be used to call another daemon), and for callers a name on the list of those that are allowed. There is no
// revocation: certificates are short-lived, and a name can be taken off the list.
//
// It knows neither daemons nor workers, and never logs.
package cert
