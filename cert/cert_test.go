// SPDX-License-Identifier: Apache-2.0

package cert

import (
	"crypto/x509"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

const day = 24 * time.Hour

// authority returns an authority that is valid for ten days from now.
func authority(t *testing.T, now time.Time) *Authority {
	t.Helper()
	a, err := NewAuthority("test", now, 10*day)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// issue writes a certificate of a to dir, together with a's own, and returns the files.
func issue(t *testing.T, a *Authority, dir, name string, r Request) Files {
	t.Helper()
	p, err := a.Issue(r)
	if err != nil {
		t.Fatal(err)
	}
	for name, p := range map[string]*Pair{name: p, AuthorityName: a.Pair()} {
		if err := p.Write(dir, name, true); err != nil {
			t.Fatal(err)
		}
	}
	return Files{filepath.Join(dir, name+".crt"), filepath.Join(dir, name+".key"), filepath.Join(dir, "ca.crt")}
}

func TestParseName(t *testing.T) {
	for _, tt := range []struct {
		in   string
		want Name // "" is an error
	}{
		{"dns:Worker-1.Internal", "dns:worker-1.internal"},
		{" dns:a", "dns:a"},
		{"ip:10.0.0.7", "ip:10.0.0.7"},
		{"ip:::ffff:10.0.0.7", "ip:10.0.0.7"},
		{"ip:FE80::1", "ip:fe80::1"},
		{"uri:spiffe://ccee/worker", "uri:spiffe://ccee/worker"},
		{"", ""},
		{"worker-1", ""},
		{"dns:", ""},
		{"dns:*.internal", ""},
		{"dns:a..b", ""},
		{"dns:-a", ""},
		{"dns:a b", ""},
		{"ip:10.0.0", ""},
		{"ip:fe80::1%eth0", ""},
		{"ip:10.0.0.0/8", ""},
		{"uri:worker", ""},
		{"uri:spiffe:worker", ""},
		{"uri:spiffe://é", ""},
		{"email:a@b", ""},
		{"DNS:a", ""},
		{"dns:" + strings.Repeat("a.", 200) + "b", ""},
	} {
		got, err := ParseName(tt.in)
		if got != tt.want || (err == nil) != (tt.want != "") {
			t.Errorf("ParseName(%q) = %q, %v, want %q", tt.in, got, err, tt.want)
		}
	}
}

// FuzzParseName: what is parsed is parsed again to the same, and comes back out of a certificate that has it.
func FuzzParseName(f *testing.F) {
	for _, s := range []string{"dns:a.b", "ip:::1", "uri:https://a/b?c#d", "uri:a://%41/", "dns:*"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		n, err := ParseName(s)
		if err != nil {
			return
		}
		if again, err := ParseName(string(n)); err != nil || again != n {
			t.Errorf("%q is parsed as %q, and that as %q (%v)", s, n, again, err)
		}
		var c x509.Certificate
		into(&c, []Name{n})
		if got := NamesOf(&c); !slices.Equal(got, []Name{n}) {
			t.Errorf("a certificate for %q has %q", n, got)
		}
	})
}

// TestIssue: what crypto/x509 says of a certificate is what was asked for (RFC 5280).
func TestIssue(t *testing.T) {
	now := time.Now()
	a := authority(t, now)
	names := []Name{"dns:d.internal", "ip:10.0.0.7", "uri:spiffe://ccee/d"}
	p, err := a.Issue(Request{Name: "d", Names: names, Role: Daemon, Now: now, Valid: day})
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AddCert(a.cert)
	verify := func(host string, usage x509.ExtKeyUsage, at time.Time) error {
		_, err := p.Cert.Verify(x509.VerifyOptions{Roots: roots, DNSName: host, KeyUsages: []x509.ExtKeyUsage{usage}, CurrentTime: at})
		return err
	}
	for _, tt := range []struct {
		name  string
		host  string
		usage x509.ExtKeyUsage
		at    time.Time
		good  bool
	}{
		{"by host", "d.internal", x509.ExtKeyUsageServerAuth, now, true},
		{"by address", "10.0.0.7", x509.ExtKeyUsageServerAuth, now, true},
		{"another host", "e.internal", x509.ExtKeyUsageServerAuth, now, false},
		{"the common name", "d", x509.ExtKeyUsageServerAuth, now, false},
		{"the other role", "d.internal", x509.ExtKeyUsageClientAuth, now, false},
		{"on a slow clock", "d.internal", x509.ExtKeyUsageServerAuth, now.Add(-4 * time.Minute), true},
		{"too late", "d.internal", x509.ExtKeyUsageServerAuth, now.Add(day + time.Minute), false},
	} {
		if err := verify(tt.host, tt.usage, tt.at); (err == nil) != tt.good {
			t.Errorf("%s: %v, want good: %v", tt.name, err, tt.good)
		}
	}
	if p.Cert.IsCA || p.Cert.KeyUsage != x509.KeyUsageDigitalSignature {
		t.Errorf("the leaf is an authority: %v, its key usage is %v", p.Cert.IsCA, p.Cert.KeyUsage)
	}
	// A leaf that signs another one is no authority.
	leaf := &Authority{p.Cert, p.Key}
	forged, err := leaf.Issue(Request{Name: "f", Names: []Name{"dns:d.internal"}, Role: Daemon, Now: now, Valid: time.Hour})
	if err == nil {
		middle := x509.NewCertPool()
		middle.AddCert(p.Cert)
		_, err = forged.Cert.Verify(x509.VerifyOptions{Roots: roots, Intermediates: middle})
	}
	if err == nil {
		t.Error("a certificate that a leaf has signed is good")
	}
	for _, r := range []Request{
		{Names: []Name{"dns:a"}, Role: "admin", Now: now, Valid: day},
		{Role: Daemon, Now: now, Valid: day},
		{Names: []Name{"dns:a"}, Role: Daemon, Now: now},
		{Names: []Name{"dns:a"}, Role: Daemon, Now: now, Valid: 11 * day}, // longer than the authority
	} {
		if _, err := a.Issue(r); err == nil {
			t.Errorf("Issue(%+v) works, want an error", r)
		}
	}
}

func TestFiles(t *testing.T) {
	dir, now := t.TempDir(), time.Now()
	a := authority(t, now)
	if err := a.Pair().Write(dir, AuthorityName, false); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(filepath.Join(dir, "ca.key")); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the key has mode %v, %v, want 0600", info.Mode(), err)
	}
	before, _ := os.ReadFile(filepath.Join(dir, "ca.key"))
	if err := authority(t, now).Pair().Write(dir, AuthorityName, false); !errors.Is(err, fs.ErrExist) {
		t.Errorf("writing over an authority: %v, want that it exists", err)
	}
	if after, _ := os.ReadFile(filepath.Join(dir, "ca.key")); string(after) != string(before) {
		t.Error("the key was replaced")
	}
	for _, name := range []string{"", "../x", "a/b", ".hidden", "a\x00"} {
		if err := a.Pair().Write(dir, name, true); err == nil {
			t.Errorf("a file named %q was written", name)
		}
	}
	again, err := OpenAuthority(dir)
	if err != nil || !again.cert.Equal(a.cert) {
		t.Fatalf("OpenAuthority = %v", err)
	}
	if err := os.Chmod(filepath.Join(dir, "ca.key"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := OpenAuthority(dir); err == nil || !strings.Contains(err.Error(), "0644") {
		t.Errorf("a key for everybody: %v, want an error with its mode", err)
	}
	other := t.TempDir()
	if err := authority(t, now).Pair().Write(other, AuthorityName, false); err != nil {
		t.Fatal(err)
	}
	copyFile(t, filepath.Join(other, "ca.key"), filepath.Join(dir, "ca.key"))
	if _, err := OpenAuthority(dir); err == nil || !strings.Contains(err.Error(), "not the key of") {
		t.Errorf("another's key: %v, want an error", err)
	}
}

// copyFile replaces a file by another one, in one step.
func copyFile(t *testing.T, from, to string) {
	t.Helper()
	b, err := os.ReadFile(from)
	if err != nil {
		t.Fatal(err)
	}
	if err := write(to, b, 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestOpenRefuses(t *testing.T) {
	now := time.Now()
	a := authority(t, now)
	good := Request{Name: "d", Names: []Name{"dns:d"}, Role: Daemon, Now: now, Valid: day}
	for _, tt := range []struct {
		name  string
		spoil func(t *testing.T, f *Files)
		want  string // in the error; "" for none
		at    time.Time
	}{
		{"as it should be", func(*testing.T, *Files) {}, "", now},
		{"no certificate", func(_ *testing.T, f *Files) { f.Cert = "" }, "no certificate is named", now},
		{"no key", func(_ *testing.T, f *Files) { f.Key = "" }, "no key is named", now},
		{"no authorities", func(_ *testing.T, f *Files) { f.CA = "" }, "no file of authorities is named", now},
		{"a file that is not there", func(_ *testing.T, f *Files) { f.CA += "x" }, "no such file", now},
		{"an empty file of authorities", func(t *testing.T, f *Files) { write(f.CA, nil, 0o644) }, "no certificate", now},
		{"a leaf as authority", func(_ *testing.T, f *Files) { f.CA = f.Cert }, "not one of an authority", now},
		{"a key among the authorities", func(_ *testing.T, f *Files) { f.CA = f.Key }, "no list of certificates", now},
		{"a key for everybody", func(t *testing.T, f *Files) { os.Chmod(f.Key, 0o604) }, "everybody", now},
		{"the key of another", func(t *testing.T, f *Files) {
			copyFile(t, filepath.Join(filepath.Dir(f.CA), "ca.key"), f.Key)
		}, "private key does not match", now},
		{"expired", func(*testing.T, *Files) {}, "expired at", now.Add(2 * day)},
		{"not begun", func(*testing.T, *Files) {}, "begins at", now.Add(-day)},
	} {
		f := issue(t, a, t.TempDir(), "d", good)
		tt.spoil(t, &f)
		_, err := open(f, Daemon, nil, func() time.Time { return tt.at })
		if (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, want %q", tt.name, err, tt.want)
		}
	}
	if _, err := Open(issue(t, a, t.TempDir(), "d", good), Worker, nil); err == nil || !strings.Contains(err.Error(), "role worker") {
		t.Errorf("a daemon's certificate as a worker's: %v, want an error", err)
	}
}

// TestReload: new files are taken over, files that can't be used are counted and told of once, and leave what was there.
func TestReload(t *testing.T) {
	now := time.Now()
	a := authority(t, now)
	dir := t.TempDir()
	r := Request{Name: "d", Names: []Name{"dns:d"}, Role: Daemon, Now: now, Valid: day}
	f := issue(t, a, dir, "d", r)
	var told []string
	s, err := open(f, Daemon, func(err error) { told = append(told, err.Error()) }, func() time.Time { return now })
	if err != nil {
		t.Fatal(err)
	}
	first := s.current().pair.Leaf
	issue(t, a, dir, "d", r)
	second := s.current().pair.Leaf
	if second.Equal(first) {
		t.Error("a new certificate is not taken over")
	}
	if err := write(f.Cert, []byte("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		if !s.current().pair.Leaf.Equal(second) {
			t.Error("a broken file replaced a certificate")
		}
	}
	os.Remove(f.Key)
	for range 3 {
		s.current()
	}
	if n := s.Failures(); n != 2 || len(told) != 2 || !strings.Contains(told[1], "stay in use") {
		t.Errorf("%d failures, told %q, want one for each state of the files", n, told)
	}
	issue(t, a, dir, "d", r)
	if got := s.current().pair.Leaf; got.Equal(second) || got.Equal(first) {
		t.Error("after broken files a good one is not taken over")
	}
}

func TestWarnings(t *testing.T) {
	now := time.Now()
	a := authority(t, now)
	f := issue(t, a, t.TempDir(), "d", Request{Name: "d", Names: []Name{"dns:d"}, Role: Daemon, Now: now, Valid: 8 * day})
	at := now
	s, err := open(f, Daemon, nil, func() time.Time { return at })
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		after time.Duration
		want  []string
	}{
		{0, nil},
		{5*day + 23*time.Hour, nil},
		{6*day + time.Hour, []string{"certificate " + f.Cert + " expires at"}},
		{8*day + time.Hour, []string{"certificate " + f.Cert + " expired at", "authority " + f.CA + " expires at"}},
	} {
		at = now.Add(tt.after)
		got := s.Warnings()
		if !slices.EqualFunc(got, tt.want, strings.HasPrefix) {
			t.Errorf("after %v: %q, want %q", tt.after, got, tt.want)
		}
	}
	if got := s.Expires(); !got.Equal(now.Add(8 * day).UTC().Truncate(time.Second)) {
		t.Errorf("Expires = %v, want 8 days after %v", got, now)
	}
}
