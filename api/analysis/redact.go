package analysis

import "regexp"

// Redaction says what of a job a language model may see.
type Redaction string

// The redactions.
const (
	RedactNothing Redaction = "none"
	RedactSecrets Redaction = "secrets" // what looks like a credential or an e-mail address is left out
	RedactSource  Redaction = "source"  // and the program's text is not sent at all
)

const redacted = "[redacted]"

// secrets are the forms of credentials that are known by their looks. What looks like nothing can't be found: RedactSource is for those
// who can't have that.
var secrets = []*regexp.Regexp{
	regexp.MustCompile(`(?s)-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(-----END [A-Z ]*PRIVATE KEY-----|$)`),
	regexp.MustCompile(`\b(AKIA|ASIA)[0-9A-Z]{16}\b`),
	regexp.MustCompile(`\bsk-[A-Za-z0-9_-]{16,}`),
	regexp.MustCompile(`\b(gh[pousr]_[A-Za-z0-9]{20,}|github_pat_[A-Za-z0-9_]{20,}|glpat-[A-Za-z0-9_-]{16,}|xox[abprs]-[A-Za-z0-9-]{10,}|ccee_[A-Za-z0-9_-]{20,})`),
	regexp.MustCompile(`\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]*`),
	regexp.MustCompile(`\b[A-Za-z0-9._%+-]+@[A-Za-z0-9.-]+\.[A-Za-z]{2,}\b`),
	regexp.MustCompile(`://[^/\s:@]+:[^/\s@]+@`),
}

// assigned are values that are given to a name of a credential; the name stays.
var assigned = regexp.MustCompile(`(?i)((?:pass(?:word|wd)?|secret|token|api[_-]?key|credential)s?["']?\s*[:=]\s*)("[^"\n]*"|'[^'\n]*'|[^\s"',;]+)`)

// redact takes out what looks like a secret.
func redact(s string) string {
	for _, re := range secrets {
		s = re.ReplaceAllString(s, redacted)
	}
	return assigned.ReplaceAllString(s, "${1}"+redacted)
}
