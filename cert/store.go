// SPDX-License-Identifier: Apache-2.0

package cert

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"os"
	"sync"
	"time"
)

// Files are the PEM files of one end of a connection.
type Files struct {
	Cert string // its own certificate, then those between it and an authority that its peers know
	Key  string // the key of that
	CA   string // the authorities that its peers' certificates must come from
}

// Store has the certificates of Files. Each use reads the files again, and takes over what has changed: with a copy of 3 KB that is
// some 30 µs, and nothing is needed that watches them. Files that can't be used leave what was there before.
type Store struct {
	files  Files
	role   Role
	now    func() time.Time
	failed func(error)

	mu       sync.Mutex // guards all below
	tried    []byte     // what was in the files when they were last looked at, or why they could not be read
	good     material
	failures int64
}

// material is what one state of the files gives. It is never changed.
type material struct {
	pair    tls.Certificate
	roots   *x509.CertPool
	expires []expiry
}

// expiry is when something in a file ends.
type expiry struct {
	what          string
	begins, until time.Time
}

// Open reads the files of an end of that role. An error says which of them is wrong, and how. failed is called for each later state of
// the files that can't be used, from whatever goroutine notices; it must not use the Store.
func Open(f Files, role Role, failed func(error)) (*Store, error) {
	return open(f, role, failed, time.Now)
}

func open(f Files, role Role, failed func(error), now func() time.Time) (*Store, error) {
	s := &Store{files: f, role: role, now: now, failed: failed}
	content, err := f.read()
	if err != nil {
		return nil, err
	}
	s.tried = content.all()
	s.good, err = content.load(f, role, now())
	return s, err
}

// content is what is in the files.
type content struct{ cert, key, ca []byte }

// all is one text for all of it.
func (c content) all() []byte { return bytes.Join([][]byte{c.cert, c.key, c.ca}, []byte{0}) }

func (f Files) read() (c content, err error) {
	for _, file := range []struct {
		path, what string
		read       func(string) ([]byte, error)
		into       *[]byte
	}{
		{f.Cert, "certificate", os.ReadFile, &c.cert},
		{f.Key, "key", readPrivate, &c.key},
		{f.CA, "file of authorities", os.ReadFile, &c.ca},
	} {
		if file.path == "" {
			return c, fmt.Errorf("no %s is named", file.what)
		}
		if *file.into, err = file.read(file.path); err != nil {
			return c, fmt.Errorf("read the %s: %w", file.what, err)
		}
	}
	return c, nil
}

// load checks all that can be checked without a peer.
func (c content) load(f Files, role Role, now time.Time) (m material, err error) {
	if m.pair, err = tls.X509KeyPair(c.cert, c.key); err != nil {
		return m, fmt.Errorf("certificate %s with key %s: %w", f.Cert, f.Key, err)
	}
	leaf := m.pair.Leaf
	switch {
	case !has(leaf, role):
		return m, fmt.Errorf("certificate %s is not for the role %s: its extended key usage must say so", f.Cert, role)
	case now.Before(leaf.NotBefore):
		return m, fmt.Errorf("certificate %s begins at %s: is this machine's clock right?", f.Cert, stamp(leaf.NotBefore))
	case now.After(leaf.NotAfter):
		return m, fmt.Errorf("certificate %s expired at %s", f.Cert, stamp(leaf.NotAfter))
	}
	authorities, err := parse(c.ca)
	if err != nil {
		return m, fmt.Errorf("authorities %s: %w", f.CA, err)
	}
	m.roots = x509.NewCertPool()
	last := expiry{what: "authority " + f.CA}
	for _, a := range authorities {
		if !a.IsCA {
			return m, fmt.Errorf("authorities %s: the certificate of %q is not one of an authority", f.CA, a.Subject.CommonName)
		}
		m.roots.AddCert(a)
		if a.NotAfter.After(last.until) {
			last.begins, last.until = a.NotBefore, a.NotAfter
		}
	}
	if now.After(last.until) {
		return m, fmt.Errorf("authorities %s: the last one expired at %s", f.CA, stamp(last.until))
	}
	m.expires = []expiry{{"certificate " + f.Cert, leaf.NotBefore, leaf.NotAfter}, last}
	return m, nil
}

// current returns what the files have now, or had when they could last be used.
func (s *Store) current() material {
	s.mu.Lock()
	defer s.mu.Unlock()
	content, err := s.files.read()
	seen := content.all()
	if err != nil {
		seen = []byte(err.Error())
	}
	if bytes.Equal(seen, s.tried) {
		return s.good
	}
	s.tried = seen
	if err == nil {
		var next material
		if next, err = content.load(s.files, s.role, s.now()); err == nil {
			s.good = next
			return next
		}
	}
	s.failures++
	if s.failed != nil {
		s.failed(fmt.Errorf("%w; the certificates of before stay in use", err))
	}
	return s.good
}

// Failures counts the states of the files that could not be used.
func (s *Store) Failures() int64 {
	s.current()
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.failures
}

// Expires is when the certificate or the last of the authorities ends, whichever comes first.
func (s *Store) Expires() time.Time {
	var first time.Time
	for _, e := range s.current().expires {
		if first.IsZero() || e.until.Before(first) {
			first = e.until
		}
	}
	return first
}

// longestNotice bounds how long before its end something long-lived is warned of.
const longestNotice = 30 * 24 * time.Hour

// Warnings has a sentence for each certificate in the files that has less than a quarter of its time left, or has expired.
func (s *Store) Warnings() (all []string) {
	now := s.now()
	for _, e := range s.current().expires {
		left := e.until.Sub(now)
		switch {
		case left <= 0:
			all = append(all, fmt.Sprintf("%s expired at %s: no connection can be made", e.what, stamp(e.until)))
		case left < min(e.until.Sub(e.begins)/4, longestNotice):
			all = append(all, fmt.Sprintf("%s expires at %s: replace the file, no restart is needed", e.what, stamp(e.until)))
		}
	}
	return all
}
