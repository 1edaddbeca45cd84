// SPDX-License-Identifier: Apache-2.0

package cert

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/ccee-dev/ccee/e2e/patience"
)

// shake has a server and a client shake hands, and returns what each of them says of it. In TLS 1.3 a client may believe that all is well
// before the server has looked at its certificate, so it reads a byte.
func shake(t *testing.T, server, client *tls.Config) (serverErr, clientErr error) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0") // a net.Pipe has no buffer: both ends would wait for each other to read an alert
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	served := make(chan error, 1)
	go func() {
		c, err := l.Accept()
		if err == nil {
			conn := tls.Server(c, server)
			if err = conn.HandshakeContext(t.Context()); err == nil {
				_, err = conn.Write([]byte{1})
			}
			c.Close()
		}
		served <- err
	}()
	c, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	_, clientErr = tls.Client(c, client).Read(make([]byte, 1))
	c.Close()
	return patience.Receive(t, served, "the server's handshake ends"), clientErr
}

// pairOf returns a certificate as package tls wants it.
func pairOf(p *Pair) tls.Certificate {
	return tls.Certificate{Certificate: [][]byte{p.Cert.Raw}, PrivateKey: p.Key, Leaf: p.Cert}
}

// issued is Issue for requests that must work.
func issued(t *testing.T, a *Authority, r Request) *Pair {
	t.Helper()
	p, err := a.Issue(r)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func poolOf(a *Authority) *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(a.cert)
	return pool
}

// withUsages issues a certificate with any extended key usages, or none.
func withUsages(t *testing.T, a *Authority, r Request, usages ...x509.ExtKeyUsage) *Pair {
	t.Helper()
	p := issued(t, a, r)
	template, err := newTemplate(r.Name, r.Now, r.Valid)
	if err != nil {
		t.Fatal(err)
	}
	template.KeyUsage, template.ExtKeyUsage = x509.KeyUsageDigitalSignature, usages
	into(template, r.Names)
	c, err := sign(template, a.cert, p.Key, a.key)
	if err != nil {
		t.Fatal(err)
	}
	return &Pair{c, p.Key}
}

// TestClientsRefused: of all who try, the allowed worker alone gets in.
func TestClientsRefused(t *testing.T) {
	now := time.Now()
	a, stranger := authority(t, now), authority(t, now)
	f := issue(t, a, t.TempDir(), "d", Request{Name: "d", Names: []Name{"dns:d"}, Role: Daemon, Now: now, Valid: day})
	s, err := Open(f, Daemon, func(err error) { t.Error(err) })
	if err != nil {
		t.Fatal(err)
	}
	server, err := s.ServerConfig([]Name{"dns:w", "uri:spiffe://ccee/w"})
	if err != nil {
		t.Fatal(err)
	}
	worker := Request{Name: "w", Names: []Name{"dns:w"}, Role: Worker, Now: now, Valid: day}
	// as is the worker with a change of its certificate.
	as := func(change func(*Request)) []tls.Certificate {
		r := worker
		change(&r)
		return []tls.Certificate{pairOf(issued(t, a, r))}
	}
	usages := func(usages ...x509.ExtKeyUsage) []tls.Certificate {
		return []tls.Certificate{pairOf(withUsages(t, a, worker, usages...))}
	}
	itself := as(func(*Request) {})
	for _, tt := range []struct {
		name string
		show []tls.Certificate
		tls  uint16 // newest version that the client speaks
		good bool
	}{
		{"the worker", itself, tls.VersionTLS13, true},
		{"by URI", as(func(r *Request) { r.Names = []Name{"dns:x", "uri:spiffe://ccee/w"} }), tls.VersionTLS13, true},
		{"both roles", usages(x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth), tls.VersionTLS13, true},
		{"no certificate", nil, tls.VersionTLS13, false},
		{"of another authority", []tls.Certificate{pairOf(issued(t, stranger, worker))}, tls.VersionTLS13, false},
		{"expired", as(func(r *Request) { r.Now, r.Valid = now.Add(-time.Hour), time.Minute }), tls.VersionTLS13, false},
		{"not yet valid", as(func(r *Request) { r.Now = now.Add(time.Hour) }), tls.VersionTLS13, false},
		{"other names", as(func(r *Request) { r.Names = []Name{"dns:w.evil", "uri:spiffe://ccee/w2"} }), tls.VersionTLS13, false},
		{"the name as common name", as(func(r *Request) { r.Name, r.Names = "w", []Name{"dns:x"} }), tls.VersionTLS13, false},
		{"a daemon", as(func(r *Request) { r.Role = Daemon }), tls.VersionTLS13, false},
		{"no role", usages(), tls.VersionTLS13, false},
		{"any role", usages(x509.ExtKeyUsageAny), tls.VersionTLS13, false},
		{"the authority itself", []tls.Certificate{pairOf(a.Pair())}, tls.VersionTLS13, false},
		{"TLS 1.2", itself, tls.VersionTLS12, false},
	} {
		client := &tls.Config{RootCAs: poolOf(a), ServerName: "d", MaxVersion: tt.tls, Certificates: tt.show}
		serverErr, clientErr := shake(t, server, client)
		if (serverErr == nil) != tt.good || (clientErr == nil) != tt.good {
			t.Errorf("%s: the server says %v, the client %v, want good: %v", tt.name, serverErr, clientErr, tt.good)
		}
	}
}

// TestListsOfNames: a server that would let in everybody, or nobody, can't be made.
func TestListsOfNames(t *testing.T) {
	now := time.Now()
	a := authority(t, now)
	daemon, err := Open(issue(t, a, t.TempDir(), "d", Request{Names: []Name{"dns:d"}, Role: Daemon, Now: now, Valid: day}), Daemon, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := daemon.ServerConfig(nil); err == nil || !strings.Contains(err.Error(), "no name is allowed") {
		t.Errorf("a server without a list: %v, want an error", err)
	}
	worker, err := Open(issue(t, a, t.TempDir(), "w", Request{Names: []Name{"dns:w"}, Role: Worker, Now: now, Valid: day}), Worker, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := worker.ServerConfig([]Name{"dns:w"}); err == nil {
		t.Error("a worker's certificate serves")
	}
}

// TestServersRefused: a worker talks to the daemon alone.
func TestServersRefused(t *testing.T) {
	now := time.Now()
	a, stranger := authority(t, now), authority(t, now)
	s, err := Open(issue(t, a, t.TempDir(), "w", Request{Names: []Name{"dns:w"}, Role: Worker, Now: now, Valid: day}), Worker, nil)
	if err != nil {
		t.Fatal(err)
	}
	daemon := Request{Names: []Name{"dns:d", "ip:10.0.0.7"}, Role: Daemon, Now: now, Valid: day}
	as := func(change func(*Request)) *Pair { r := daemon; change(&r); return issued(t, a, r) }
	for _, tt := range []struct {
		name, server string
		show         *Pair
		tls          uint16
		good         bool
	}{
		{"the daemon", "d", issued(t, a, daemon), tls.VersionTLS13, true},
		{"by address", "10.0.0.7", issued(t, a, daemon), tls.VersionTLS13, true},
		{"another name", "e", issued(t, a, daemon), tls.VersionTLS13, false},
		{"no name", "", issued(t, a, daemon), tls.VersionTLS13, false},
		{"another authority", "d", issued(t, stranger, daemon), tls.VersionTLS13, false},
		{"expired", "d", as(func(r *Request) { r.Now, r.Valid = now.Add(-time.Hour), time.Minute }), tls.VersionTLS13, false},
		{"a worker", "d", as(func(r *Request) { r.Role = Worker }), tls.VersionTLS13, false},
		{"no role", "d", withUsages(t, a, daemon), tls.VersionTLS13, false},
		{"TLS 1.2", "d", issued(t, a, daemon), tls.VersionTLS12, false},
	} {
		_, err := shake(t, &tls.Config{MaxVersion: tt.tls, Certificates: []tls.Certificate{pairOf(tt.show)}}, s.ClientConfig(tt.server))
		if (err == nil) != tt.good {
			t.Errorf("%s: %v, want good: %v", tt.name, err, tt.good)
		}
	}
}

// TestRotation: the next handshake on both sides uses new files, also of another authority.
func TestRotation(t *testing.T) {
	now := time.Now()
	daemonDir, workerDir := t.TempDir(), t.TempDir()
	renew := func(a *Authority) (Files, Files) {
		return issue(t, a, daemonDir, "d", Request{Names: []Name{"dns:d"}, Role: Daemon, Now: now, Valid: day}),
			issue(t, a, workerDir, "w", Request{Names: []Name{"dns:w"}, Role: Worker, Now: now, Valid: day})
	}
	df, wf := renew(authority(t, now))
	d, err := Open(df, Daemon, nil)
	if err != nil {
		t.Fatal(err)
	}
	w, err := Open(wf, Worker, nil)
	if err != nil {
		t.Fatal(err)
	}
	server, err := d.ServerConfig([]Name{"dns:w"})
	if err != nil {
		t.Fatal(err)
	}
	before := w.ClientConfig("d")
	for _, when := range []string{"at first", "after the rotation", "after another one"} {
		if serverErr, err := shake(t, server, w.ClientConfig("d")); err != nil || serverErr != nil {
			t.Errorf("%s: %v, %v", when, serverErr, err)
		}
		renew(authority(t, now))
	}
	if serverErr, err := shake(t, server, before); err == nil || serverErr == nil {
		t.Errorf("a certificate of the former authority: %v, %v, want errors", serverErr, err)
	}
	if err := os.WriteFile(df.Cert, []byte("broken"), 0o600); err != nil {
		t.Fatal(err)
	}
	if serverErr, err := shake(t, server, w.ClientConfig("d")); err != nil || serverErr != nil {
		t.Errorf("with a broken file: %v, %v, want the certificate of before", serverErr, err)
	}
}

func TestNotAllowed(t *testing.T) {
	now := time.Now()
	a := authority(t, now)
	s, err := Open(issue(t, a, t.TempDir(), "d", Request{Names: []Name{"dns:d"}, Role: Daemon, Now: now, Valid: day}), Daemon, nil)
	if err != nil {
		t.Fatal(err)
	}
	server, err := s.ServerConfig([]Name{"dns:other"})
	if err != nil {
		t.Fatal(err)
	}
	w := issued(t, a, Request{Names: []Name{"dns:w"}, Role: Worker, Now: now, Valid: day})
	err, _ = shake(t, server, &tls.Config{RootCAs: poolOf(a), ServerName: "d", Certificates: []tls.Certificate{pairOf(w)}})
	if !errors.Is(err, ErrNotAllowed) || !strings.Contains(err.Error(), "dns:w") {
		t.Errorf("%v, want ErrNotAllowed with the names", err)
	}
}
