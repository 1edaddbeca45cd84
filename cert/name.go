// SPDX-License-Identifier: Apache-2.0

package cert

import (
	"crypto/x509"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strings"
)

// Name is a subject alternative name (RFC 5280, 4.2.1.6) with its kind: "dns:worker-1", "ip:10.0.0.7" or "uri:spiffe://ccee/worker".
// Two names are the same if they are equal.
type Name string

// hostName matches a DNS name without wildcards, in lower case (RFC 1123, 2.1).
var hostName = regexp.MustCompile(`^([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)*[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$`)

// maxName bounds the bytes of a name.
const maxName = 253

// ParseName reads a name in the form of Name. Wildcards are refused: they allow names that nobody has thought of.
func ParseName(s string) (Name, error) {
	kind, value, _ := strings.Cut(strings.TrimSpace(s), ":")
	if len(value) > maxName {
		return "", fmt.Errorf("the name %.40q... has more than %d characters", s, maxName)
	}
	switch kind {
	case "dns":
		if host := strings.ToLower(value); hostName.MatchString(host) {
			return Name("dns:" + host), nil
		}
	case "ip":
		if ip, err := netip.ParseAddr(value); err == nil && ip.Zone() == "" {
			return Name("ip:" + ip.Unmap().String()), nil
		}
	case "uri":
		if u, err := url.Parse(value); err == nil && u.Scheme != "" && u.Host != "" && isASCII(value) {
			return Name("uri:" + u.String()), nil
		}
	}
	return "", fmt.Errorf("%.80q is no name: it must be dns:HOST, ip:ADDRESS or uri:SCHEME://HOST/PATH, without wildcards", s)
}

// ParseNames reads a list of names.
func ParseNames(list []string) ([]Name, error) {
	names := make([]Name, 0, len(list))
	for _, s := range list {
		n, err := ParseName(s)
		if err != nil {
			return nil, err
		}
		names = append(names, n)
	}
	return names, nil
}

func isASCII(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r > '~' })
}

// NamesOf returns the names of a certificate. What is no Name, such as a wildcard, is left out, and so is the common name of the subject.
func NamesOf(c *x509.Certificate) []Name {
	var all []Name
	add := func(s string) {
		if n, err := ParseName(s); err == nil {
			all = append(all, n)
		}
	}
	for _, host := range c.DNSNames {
		add("dns:" + host)
	}
	for _, ip := range c.IPAddresses {
		add("ip:" + ip.String())
	}
	for _, u := range c.URIs {
		add("uri:" + u.String())
	}
	return all
}

// Match returns the first of the allowed names that the certificate has; ok is false if it has none.
func Match(c *x509.Certificate, allowed []Name) (name Name, ok bool) {
	names := NamesOf(c)
	for _, n := range allowed {
		if slices.Contains(names, n) {
			return n, true
		}
	}
	return "", false
}

// into adds the names to a certificate that is to be made. They come from ParseName.
func into(c *x509.Certificate, names []Name) {
	for _, n := range names {
		kind, value, _ := strings.Cut(string(n), ":")
		switch kind {
		case "dns":
			c.DNSNames = append(c.DNSNames, value)
		case "ip":
			c.IPAddresses = append(c.IPAddresses, net.ParseIP(value))
		case "uri":
			if u, err := url.Parse(value); err == nil {
				c.URIs = append(c.URIs, u)
			}
		}
	}
}
