// SPDX-License-Identifier: Apache-2.0

package api

import (
	"net/http"
	"strings"
)

// showPage answers with the page, whose script decides by the address what to show.
var showPage = static("text/html; charset=utf-8", pageHTML)

// index is the answer of GET /: the addresses to go on with.
type index struct {
	Service  string            `json:"service"`
	Status   string            `json:"status"`
	Frontend string            `json:"frontend"` // the page that runs programs, relative to this answer's address
	Docs     map[string]string `json:"docs"`
}

// getIndex lists the addresses to go on with: GET /. Browsers get the page that runs programs, as they did from the original.
func (s *Server) getIndex(c *call) {
	c.w.Header().Add("Vary", "Accept")
	if strings.Contains(c.r.Header.Get("Accept"), "text/html") {
		showPage(c)
		return
	}
	c.json(http.StatusOK, index{Service: "ccee-api", Status: "ok", Frontend: "/", Docs: map[string]string{
		"health":    "/health",
		"ready":     "/ready",
		"runtimes":  "/v1/runtimes",
		"submitJob": "POST /v1/jobs",
		"jobEvents": "GET /v1/jobs/:jobId/events",
		"readJob":   "GET /v1/jobs/:jobId",
		"cancelJob": "DELETE /v1/jobs/:jobId",
	}})
}
