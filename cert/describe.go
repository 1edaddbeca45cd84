// SPDX-License-Identifier: Apache-2.0

package cert

import (
	"crypto/sha256"
	"crypto/x509"
	"fmt"
	"strings"
	"time"
)

// Describe says in a few lines what a certificate is for, from when until when, and whether that is now.
func Describe(c *x509.Certificate, now time.Time) string {
	var b strings.Builder
	line := func(what, format string, args ...any) {
		fmt.Fprintf(&b, "  %-12s %s\n", what, fmt.Sprintf(format, args...))
	}
	line("subject", "%q", c.Subject.CommonName)
	line("issuer", "%q", c.Issuer.CommonName)
	switch roles := RolesOf(c); {
	case c.IsCA:
		line("role", "authority")
	case len(roles) == 0:
		line("role", "none: no daemon and no worker can use it")
	default:
		line("role", "%s", join(roles))
	}
	line("names", "%s", join(NamesOf(c)))
	state := fmt.Sprintf("%v left", c.NotAfter.Sub(now).Round(time.Minute))
	switch {
	case now.Before(c.NotBefore):
		state = "not yet valid"
	case now.After(c.NotAfter):
		state = "expired"
	}
	line("from", "%s", stamp(c.NotBefore))
	line("until", "%s (%s)", stamp(c.NotAfter), state)
	line("sha256", "%x", sha256.Sum256(c.Raw))
	return b.String()
}

func join[S ~string](list []S) string {
	texts := make([]string, len(list))
	for i, s := range list {
		texts[i] = string(s)
	}
	return strings.Join(texts, ", ")
}
