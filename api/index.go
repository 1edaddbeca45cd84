package api

import "net/http"

// index is the answer of GET /: where to go from here.
type index struct {
	Service string            `json:"service"`
	Status  string            `json:"status"`
	Docs    map[string]string `json:"docs"`
}

func (s *Server) getIndex(c *call) {
	c.json(http.StatusOK, index{Service: "ccee-api", Status: "ok", Docs: map[string]string{
		"health":    "/health",
		"ready":     "/ready",
		"runtimes":  "/v1/runtimes",
		"submitJob": "POST /v1/jobs",
		"readJob":   "GET /v1/jobs/:jobId",
		"cancelJob": "DELETE /v1/jobs/:jobId",
	}})
}
