// SPDX-License-Identifier: Apache-2.0

package api

import (
	"fmt"
	"net/http"
	"strings"
)

// The CORS policy: no credentials, and a preflight answer is kept for ten minutes.
const (
	corsMethods = "GET, POST, DELETE, OPTIONS"
	corsHeaders = "authorization, content-type, x-api-key, x-request-id, idempotency-key, last-event-id"
	corsExposed = "x-request-id, x-ratelimit-limit, x-ratelimit-remaining, x-ratelimit-reset, retry-after, idempotent-replayed"
	corsMaxAge  = "600" // seconds
)

// origins are the web origins whose pages may read our answers.
type origins struct {
	exact map[string]bool
	// wild are patterns such as https://*.example.com: a scheme, and a suffix that begins with a dot.
	wild []wildOrigin
}

type wildOrigin struct{ scheme, suffix string }

// parseOrigins reads the entries of CORS_ALLOWED_ORIGINS.
func parseOrigins(entries []string) (origins, error) {
	o := origins{exact: map[string]bool{}}
	for _, e := range entries {
		scheme, host, ok := strings.Cut(e, "://")
		if !ok || scheme != "http" && scheme != "https" || host == "" || strings.ContainsAny(host, "/ ") {
			return o, fmt.Errorf("allowed origin %q: write http(s)://host[:port] or http(s)://*.suffix", e)
		}
		suffix, wild := strings.CutPrefix(host, "*")
		switch {
		case !wild && !strings.Contains(host, "*"):
			o.exact[e] = true
		case wild && len(suffix) > 1 && suffix[0] == '.' && !strings.Contains(suffix, "*"):
			o.wild = append(o.wild, wildOrigin{scheme + "://", suffix})
		default:
			return o, fmt.Errorf("allowed origin %q: a star must be the whole first label, as in https://*.example.com", e)
		}
	}
	return o, nil
}

// allows reports whether a page of that origin may read our answers.
func (o origins) allows(origin string) bool {
	if o.exact[origin] {
		return true
	}
	for _, w := range o.wild {
		host, same := strings.CutPrefix(origin, w.scheme)
		if sub, ok := strings.CutSuffix(host, w.suffix); same && ok && sub != "" {
			return true
		}
	}
	return false
}

// cors sets the headers that let a page of an allowed origin read the answer, and answers its preflight. It reports whether
// the request was such a preflight and is done with.
func (s *Server) cors(c *call) (done bool) {
	h := c.w.Header()
	h.Add("Vary", "Origin")
	origin := c.r.Header.Get("Origin")
	if origin == "" || !s.origins.allows(origin) {
		return false
	}
	h.Set("Access-Control-Allow-Origin", origin)
	if c.r.Method != http.MethodOptions || c.r.Header.Get("Access-Control-Request-Method") == "" {
		h.Set("Access-Control-Expose-Headers", corsExposed)
		return false
	}
	h.Set("Access-Control-Allow-Methods", corsMethods)
	h.Set("Access-Control-Allow-Headers", corsHeaders)
	h.Set("Access-Control-Max-Age", corsMaxAge)
	h.Del(traceHeader)
	c.status = http.StatusNoContent
	c.w.WriteHeader(http.StatusNoContent)
	return true
}
