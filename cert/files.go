// SPDX-License-Identifier: Apache-2.0

package cert

import (
	"bytes"
	"crypto"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
)

// The types of PEM blocks (RFC 7468).
const (
	pemCert = "CERTIFICATE"
	pemKey  = "PRIVATE KEY"
)

// AuthorityName is the name of an authority's files, ca.crt and ca.key.
const AuthorityName = "ca"

// fileName matches names of which files can be made.
var fileName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$`)

// Write writes the certificate to dir/name.crt and the key to dir/name.key, which only its owner can read. Files that are there are an
// error unless replace is true; then each is replaced in one step, the key first.
func (p *Pair) Write(dir, name string, replace bool) error {
	if !fileName.MatchString(name) {
		return fmt.Errorf("%q can't be the name of a file: up to 64 of A-Z a-z 0-9 . _ -, beginning with a letter or digit", name)
	}
	der, err := x509.MarshalPKCS8PrivateKey(p.Key)
	if err != nil {
		return fmt.Errorf("encode the key: %w", err)
	}
	key := pem.EncodeToMemory(&pem.Block{Type: pemKey, Bytes: der})
	crt := pem.EncodeToMemory(&pem.Block{Type: pemCert, Bytes: p.Cert.Raw})
	base := filepath.Join(dir, name)
	for _, path := range []string{base + ".key", base + ".crt"} {
		if _, err := os.Lstat(path); !replace && err == nil {
			return fmt.Errorf("%s: %w", path, fs.ErrExist)
		}
	}
	if err := write(base+".key", key, 0o600); err != nil {
		return err
	}
	return write(base+".crt", crt, 0o644)
}

// write replaces a file in one step: a reader sees the old content or the new one.
func write(path string, content []byte, mode os.FileMode) error {
	f, err := os.CreateTemp(filepath.Dir(path), ".new-*") // with mode 0600
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	_, err = f.Write(content)
	if err := errors.Join(err, f.Chmod(mode), f.Sync(), f.Close()); err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	return os.Rename(f.Name(), path)
}

// OpenAuthority reads the authority whose files are in dir.
func OpenAuthority(dir string) (*Authority, error) {
	base := filepath.Join(dir, AuthorityName)
	text, err := os.ReadFile(base + ".crt")
	if err != nil {
		return nil, err
	}
	certs, err := parse(text)
	if err != nil {
		return nil, fmt.Errorf("%s.crt: %w", base, err)
	}
	if !certs[0].IsCA {
		return nil, fmt.Errorf("%s.crt is not the certificate of an authority", base)
	}
	key, err := readKey(base + ".key")
	if err != nil {
		return nil, err
	}
	if public, ok := key.Public().(interface{ Equal(crypto.PublicKey) bool }); !ok || !public.Equal(certs[0].PublicKey) {
		return nil, fmt.Errorf("%s.key is not the key of %s.crt", base, base)
	}
	return &Authority{certs[0], key}, nil
}

// Read reads the certificates in a PEM file, the leaf first.
func Read(path string) ([]*x509.Certificate, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	certs, err := parse(text)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return certs, nil
}

// parse reads the certificates of a PEM text, at least one. Anything else in it is an error: a file with a private key must not be taken
// for one that may be shown.
func parse(text []byte) (certs []*x509.Certificate, err error) {
	for len(bytes.TrimSpace(text)) > 0 {
		block, rest := pem.Decode(text)
		if block == nil || block.Type != pemCert {
			return nil, errors.New("it is no list of certificates in PEM form")
		}
		c, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, err
		}
		certs, text = append(certs, c), rest
	}
	if len(certs) == 0 {
		return nil, errors.New("it has no certificate")
	}
	return certs, nil
}

// readKey reads a private key that others than its owner and group can't read.
func readKey(path string) (crypto.Signer, error) {
	text, err := readPrivate(path)
	if err != nil {
		return nil, err
	}
	block, _ := pem.Decode(text)
	if block == nil || block.Type != pemKey {
		return nil, fmt.Errorf("%s is no private key in PEM form (PKCS #8)", path)
	}
	k, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	key, ok := k.(crypto.Signer)
	if !ok {
		return nil, fmt.Errorf("%s: a key of type %T can't sign", path, k)
	}
	return key, nil
}

// readPrivate reads a file with a key.
func readPrivate(path string) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if info.Mode().Perm()&0o007 != 0 {
		return nil, fmt.Errorf("%s has mode %04o: everybody on this machine can use the key; chmod o-rwx", path, info.Mode().Perm())
	}
	return os.ReadFile(path)
}

// has reports whether a certificate is for a role by its own words: one that says nothing is for none.
func has(c *x509.Certificate, r Role) bool {
	usage, ok := r.usage()
	return ok && slices.Contains(c.ExtKeyUsage, usage)
}

// RolesOf returns the roles that a certificate is for.
func RolesOf(c *x509.Certificate) (all []Role) {
	for _, r := range []Role{Daemon, Worker} {
		if has(c, r) {
			all = append(all, r)
		}
	}
	return all
}
