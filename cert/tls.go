// SPDX-License-Identifier: Apache-2.0

package cert

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
)

// ErrNotAllowed is wrapped by the error for a peer whose certificate is good, but is for another role or has no allowed name.
var ErrNotAllowed = errors.New("the peer is not allowed")

// ServerConfig returns the settings of a server: TLS 1.3, and clients whose certificate comes from one of the authorities, is for the
// role Worker, and has one of the allowed names. Each handshake uses what is in the files at that time. An empty list is an error: it
// would be either everybody or nobody.
func (s *Store) ServerConfig(allowed []Name) (*tls.Config, error) {
	if len(allowed) == 0 {
		return nil, errors.New("no name is allowed: a listener needs a list of the names of its clients")
	}
	if s.role != Daemon {
		return nil, fmt.Errorf("certificates of the role %s can't be those of a server", s.role)
	}
	return &tls.Config{
		MinVersion: tls.VersionTLS13,
		// Both stand here too, so that nothing gets in should the function below ever return nil: without authorities all are refused.
		ClientAuth: tls.RequireAndVerifyClientCert,
		ClientCAs:  x509.NewCertPool(),
		GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) {
			return s.handshake(allowed), nil
		},
	}, nil
}

// handshake returns the settings of one handshake.
func (s *Store) handshake(allowed []Name) *tls.Config {
	m := s.current()
	return &tls.Config{
		MinVersion:   tls.VersionTLS13,
		Certificates: []tls.Certificate{m.pair},
		ClientAuth:   tls.RequireAndVerifyClientCert,
		ClientCAs:    m.roots,
		NextProtos:   []string{"http/1.1"},
		Time:         s.now,
		// A resumed session is not verified against the authorities of now.
		SessionTicketsDisabled: true,
		VerifyConnection: func(state tls.ConnectionState) error {
			leaf := state.PeerCertificates[0]
			if !has(leaf, Worker) { // crypto/x509 accepts a certificate that names no usage for any
				return fmt.Errorf("%w: its certificate is not for the role %s", ErrNotAllowed, Worker)
			}
			if _, ok := Match(leaf, allowed); !ok {
				return fmt.Errorf("%w: none of its names is on the list: %.200q", ErrNotAllowed, NamesOf(leaf))
			}
			return nil
		},
	}
}

// ClientConfig returns the settings of one connection to a server: TLS 1.3, and a server whose certificate comes from one of the
// authorities, is for the role Daemon, and has the name of the server, a host name or an IP address. Make one for each connection, as the
// files may have changed.
func (s *Store) ClientConfig(server string) *tls.Config {
	m := s.current()
	return &tls.Config{
		MinVersion:   tls.VersionTLS13,
		Certificates: []tls.Certificate{m.pair},
		RootCAs:      m.roots,
		ServerName:   server,
		NextProtos:   []string{"http/1.1"},
		Time:         s.now,
		VerifyConnection: func(state tls.ConnectionState) error {
			if leaf := state.PeerCertificates[0]; !has(leaf, Daemon) {
				return fmt.Errorf("%w: its certificate is not for the role %s", ErrNotAllowed, Daemon)
			}
			return nil
		},
	}
}
