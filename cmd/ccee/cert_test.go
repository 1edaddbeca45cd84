// SPDX-License-Identifier: Apache-2.0

package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestCert(t *testing.T) {
	dir := t.TempDir()
	issue := []string{"cert", "issue", "--ca", dir, "--dir", dir, "--name", "d1", "--role", "daemon", "--san", "dns:d1,ip:10.0.0.7"}
	for _, tt := range []struct {
		name string
		args []string
		code int
		want string
	}{
		{"no authority", issue, 1, "see ccee cert ca"},
		{"an authority", []string{"cert", "ca", "--dir", dir}, 0, "ca.crt and .key, valid until"},
		{"another one", []string{"cert", "ca", "--dir", dir}, 1, "--force"},
		{"a certificate", issue, 0, "d1.crt and .key"},
		{"the same again", issue, 1, "file already exists"},
		{"with --force", append(issue, "--force"), 0, "d1.crt"},
		{"a role that there is not", append(issue, "--force", "--role", "admin"), 2, "must be daemon or worker"},
		{"a wildcard", append(issue, "--force", "--san", "dns:*.a"), 2, "without wildcards"},
		{"longer than the authority", append(issue, "--force", "--days", "397"), 2, "longer than its authority"},
		{"over the authority", append(issue, "--force", "--name", "ca"), 2, "authority's files"},
		{"show", []string{"cert", "show", filepath.Join(dir, "d1.crt")}, 0, "role         daemon\n  names        dns:d1, ip:10.0.0.7\n"},
		{"show a key", []string{"cert", "show", filepath.Join(dir, "d1.key")}, 1, "no list of certificates"},
	} {
		stdout, stderr, code := ccee(t, tt.args...)
		if out := stdout + stderr; code != tt.code || !strings.Contains(out, tt.want) {
			t.Errorf("%s: exit code %d, %q, want %d and %q", tt.name, code, out, tt.code, tt.want)
		}
	}
	if info, err := os.Stat(filepath.Join(dir, "d1.key")); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the key: %v, %v, want mode 0600", info, err)
	}
}

// TestListenerNeeds: ccee daemon --listen names what is missing, and starts nothing.
func TestListenerNeeds(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root, as ccee daemon does")
	}
	images := t.TempDir()
	listen := []string{"daemon", "--images", images, "--socket", filepath.Join(images, "s"), "--listen", "127.0.0.1:0"}
	for _, tt := range []struct {
		name string
		args []string
		want string
	}{
		{"nobody allowed", nil, "needs --allow"},
		{"an empty list", []string{"--allow", ","}, "needs --allow"},
		{"everybody", []string{"--allow", "dns:*"}, "without wildcards"},
		{"no certificate", []string{"--allow", "dns:w"}, "--tls-cert is missing"},
		{"no authorities", []string{"--allow", "dns:w", "--tls-cert", "a", "--tls-key", "b"}, "--tls-ca is missing"},
		{"no such file", []string{"--allow", "dns:w", "--tls-cert", "a", "--tls-key", "b", "--tls-ca", "c"}, "read the certificate"},
		{"no port", []string{"--listen", "127.0.0.1"}, "must be HOST:PORT"},
	} {
		_, out, code := ccee(t, append(listen, tt.args...)...)
		if code == 0 || !strings.Contains(out, tt.want) {
			t.Errorf("%s: exit code %d, %q, want an error with %q", tt.name, code, out, tt.want)
		}
	}
	for _, address := range []string{"https://", "https://h", "https://h:1/x", "https://u@h:1"} {
		_, out, code := ccee(t, "run", "--socket", address, "x.py")
		if code == 0 || !strings.Contains(out, "https://HOST:PORT") {
			t.Errorf("--socket %s: exit code %d, %q", address, code, out)
		}
	}
}
