// SPDX-License-Identifier: Apache-2.0

package api

import (
	"net/http"
	"strings"

	"github.com/google/uuid"
)

// Bounds of a trace id that a caller brings along, in bytes.
const (
	minTrace = 8
	maxTrace = 128
)

// traceHeader carries the trace id in both directions.
const traceHeader = "X-Request-Id"

// traceID returns the caller's x-request-id made safe for logs and headers, or a UUID v4 where that leaves too little to
// find a request by.
func traceID(h http.Header) string {
	id := strings.Map(func(r rune) rune {
		plain := r >= 'A' && r <= 'Z' || r >= 'a' && r <= 'z' || r >= '0' && r <= '9'
		if plain || strings.ContainsRune("_.:/-", r) {
			return r
		}
		return '_'
	}, strings.TrimSpace(h.Get(traceHeader)))
	if len(id) > maxTrace {
		id = id[:maxTrace]
	}
	if len(id) < minTrace {
		return uuid.NewString()
	}
	return id
}
