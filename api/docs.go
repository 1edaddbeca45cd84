package api

import (
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"net/http"
	"strconv"
)

// The contract as JSON, made of openapi.yaml (go test ./api -run Golden -update), the page that shows it, and the page that runs programs.
var (
	//go:embed openapi.json
	openapiJSON []byte
	//go:embed web/docs.html
	docsHTML []byte
	//go:embed web/docs.css
	docsCSS []byte
	//go:embed web/docs.js
	docsJS []byte
	//go:embed web/page.html
	pageHTML []byte
	//go:embed web/page.css
	pageCSS []byte
	//go:embed web/page.js
	pageJS []byte
)

// pagePolicy lets a page of ours load nothing but our own files, and nobody put it into a frame.
const pagePolicy = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// static answers with a file that is part of the binary.
func static(kind string, data []byte) func(*call) {
	sum := sha256.Sum256(data)
	tag := `"` + hex.EncodeToString(sum[:8]) + `"`
	return func(c *call) {
		h := c.w.Header()
		h.Set("Content-Type", kind)
		h.Set("ETag", tag)
		h.Set("Cache-Control", "public, max-age=300")
		h.Set("Content-Security-Policy", pagePolicy)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "no-referrer")
		if c.r.Header.Get("If-None-Match") == tag {
			c.status = http.StatusNotModified
			c.w.WriteHeader(c.status)
			return
		}
		h.Set("Content-Length", strconv.Itoa(len(data)))
		c.status = http.StatusOK
		c.w.WriteHeader(c.status)
		if c.r.Method != http.MethodHead {
			_, _ = c.w.Write(data)
		}
	}
}
