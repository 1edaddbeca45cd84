// SPDX-License-Identifier: Apache-2.0

package api

import (
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync"

	"go.yaml.in/yaml/v4"
)

// The contract, the page that shows it, and the page that runs programs.
var (
	//go:embed openapi.yaml
	openapiYAML []byte
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

// file is one coding of a file.
type file struct {
	data   []byte
	tag    string
	coding string // "" is none
}

// matches reports whether one of the tags of these lines of If-None-Match is tag (RFC 9110, section 13.1.2).
func matches(lines []string, tag string) bool {
	for t := range strings.SplitSeq(strings.Join(lines, ","), ",") {
		if t = strings.TrimPrefix(strings.TrimSpace(t), "W/"); t == tag || t == "*" {
			return true
		}
	}
	return false
}

// contractJSON is openapi.yaml as JSON, which /openapi.json serves.
func contractJSON() []byte {
	var doc any
	if err := yaml.Unmarshal(openapiYAML, &doc); err != nil {
		panic(fmt.Sprintf("openapi.yaml, which is part of the binary: %v", err)) // no build passes its tests with such a file
	}
	return encodeJSON(doc)
}

// codings returns a file as it is, and compressed where that pays.
func codings(data []byte) (plain, zipped file) {
	sum := sha256.Sum256(data)
	name := hex.EncodeToString(sum[:8])
	plain = file{data: data, tag: `"` + name + `"`}
	if len(data) < compressFrom {
		return plain, plain
	}
	return plain, file{compressed(data), `"` + name + `-gzip"`, "gzip"}
}

// static answers with a file that is part of the binary.
func static(kind string, data []byte) func(*call) {
	return made(kind, func() []byte { return data })
}

// made answers with a file that is made, and compressed, when the first client asks for it: most processes never need it.
func made(kind string, data func() []byte) func(*call) {
	files := sync.OnceValues(func() (plain, zipped file) { return codings(data()) })
	return func(c *call) {
		f, zipped := files()
		if takesGzip(c.r.Header["Accept-Encoding"]) {
			f = zipped
		}
		h := c.w.Header()
		h.Set("Content-Type", kind)
		h.Set("ETag", f.tag)
		h.Add("Vary", "Accept-Encoding")
		h.Set("Cache-Control", "public, max-age=300")
		h.Set("Content-Security-Policy", pagePolicy)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "no-referrer")
		if matches(c.r.Header["If-None-Match"], f.tag) {
			c.status = http.StatusNotModified
			c.w.WriteHeader(c.status)
			return
		}
		if f.coding != "" {
			h.Set("Content-Encoding", f.coding)
		}
		h.Set("Content-Length", strconv.Itoa(len(f.data)))
		c.status = http.StatusOK
		c.w.WriteHeader(c.status)
		if c.r.Method != http.MethodHead {
			_, _ = c.w.Write(f.data)
		}
	}
}
