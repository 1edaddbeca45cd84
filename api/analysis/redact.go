// SPDX-License-Identifier: Apache-2.0

package analysis

import (
	"cmp"
	"maps"
	"regexp"
	"slices"
	"strings"
)

// Redaction is what a language model may see of a job.
type Redaction string

// The redactions.
const (
	RedactNothing Redaction = "none"
	RedactSecrets Redaction = "secrets" // whatever looks like a credential or an e-mail address is left out
	RedactSource  Redaction = "source"  // and the program's text is not sent
)

const redacted = "[redacted]"

// secrets are the forms of credentials that are known by their looks. A secret that looks like nothing can't be found:
// RedactSource is for programs that may have one.
var secrets = []*regexp.Regexp{
	regexp.MustCompile(`(?s)-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(-----END [A-Z ]*PRIVATE KEY-----|$)`),
	regexp.MustCompile(`\b(AKIA|ASIA)[0-9A-Z]{16}\b`),
	regexp.MustCompile(`\bsk-[A-Za-z0-9_-]{16,}`),
	regexp.MustCompile(`\b[srp]k_(live|test)_[A-Za-z0-9]{8,}`), // Stripe's
	regexp.MustCompile(`\bAIza[A-Za-z0-9_-]{30,}`),             // Google's
	regexp.MustCompile(`(?i)\bbearer\s+[A-Za-z0-9._~+/=-]{8,}`),
	regexp.MustCompile(`\b(gh[pousr]_[A-Za-z0-9]{20,}|github_pat_[A-Za-z0-9_]{20,}|glpat-[A-Za-z0-9_-]{16,}|xox[abprs]-[A-Za-z0-9-]{10,}|ccee_[A-Za-z0-9_-]{20,})`),
	regexp.MustCompile(`\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]*`),
	regexp.MustCompile(`\b[A-Za-z0-9._%+-]+@[A-Za-z0-9.-]+\.[A-Za-z]{2,}\b`),
	regexp.MustCompile(`://[^/\s:@]+:[^/\s@]+@`),
}

// assigned are values that are given to a name of a credential; the name stays.
var assigned = regexp.MustCompile(`(?i)((?:pass(?:word|wd)?|secret|token|api[_-]?key|credential)s?["']?\s*[:=]\s*)("[^"\n]*"|'[^'\n]*'|[^\s"',;]+)`)

// leastTaken is the least length of a secret, in characters, that is looked for elsewhere: shorter ones look too much like other words.
const leastTaken = 6

// mostTaken bounds the secrets of one text: hostile output is full of them.
const mostTaken = 10_000

// redactor takes secrets out of the parts of one text: a secret found in one part is taken out of all, whatever it looks like there.
type redactor struct{ taken map[string]bool }

// learn notes the secrets in s.
func (r *redactor) learn(s string) {
	for _, re := range secrets {
		for _, secret := range re.FindAllString(s, -1) {
			r.take(secret)
		}
		s = re.ReplaceAllString(s, redacted)
	}
	for _, m := range assigned.FindAllStringSubmatch(s, -1) {
		r.take(strings.Trim(m[2], `"'`))
	}
}

func (r *redactor) take(secret string) {
	if len(secret) >= leastTaken && secret != redacted && len(r.taken) < mostTaken {
		r.taken[secret] = true
	}
}

// cleaner returns a function that takes out the learned secrets, and whatever looks like one besides.
func (r *redactor) cleaner() func(string) string {
	all := slices.Collect(maps.Keys(r.taken))
	// The longest first: one may be the beginning of another.
	slices.SortFunc(all, func(a, b string) int { return cmp.Or(len(b)-len(a), strings.Compare(a, b)) })
	pairs := make([]string, 0, 2*len(all))
	for _, secret := range all {
		pairs = append(pairs, secret, redacted)
	}
	replacer := strings.NewReplacer(pairs...)
	return func(s string) string { return redact(replacer.Replace(s)) }
}

// redact takes out whatever looks like a secret.
func redact(s string) string {
	for _, re := range secrets {
		s = re.ReplaceAllString(s, redacted)
	}
	return assigned.ReplaceAllString(s, "${1}"+redacted)
}
