// SPDX-License-Identifier: Apache-2.0

// Package contract checks answers of the REST API against its description, openapi.yaml. It is for tests: those of the server, and those of
// the finished binary.
package contract

import (
	"encoding/json"
	"fmt"
	"mime"
	"net/http"
	"regexp"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"
)

// Contract is an OpenAPI description.
type Contract struct{ Doc *openapi3.T }

// Load reads a description. It also checks that the file is valid OpenAPI and that its examples match its schemas.
func Load(file string) (*Contract, error) {
	loader := openapi3.NewLoader()
	doc, err := loader.LoadFromFile(file)
	if err != nil {
		return nil, err
	}
	return &Contract{doc}, doc.Validate(loader.Context, openapi3.EnableExamplesValidation())
}

// Operation returns the operation that a request is for, nil if there is none. HEAD is GET.
func (c *Contract) Operation(method, path string) *openapi3.Operation {
	if method == http.MethodHead {
		method = http.MethodGet
	}
	for template, item := range c.Doc.Paths.Map() {
		pattern := regexp.QuoteMeta(template)
		pattern = regexp.MustCompile(`\\\{[a-zA-Z]+\\\}`).ReplaceAllString(pattern, `[^/]+`)
		if regexp.MustCompile("^" + pattern + "$").MatchString(path) {
			return item.GetOperation(method)
		}
	}
	return nil
}

// Answer is an answer to check.
type Answer struct {
	Method, Path string
	Status       int
	Header       http.Header
	Body         []byte
}

// instructing are headers that tell clients what to do: an answer has them only where the contract says so.
var instructing = []string{"X-Request-Id", "X-Ratelimit-Limit", "X-Ratelimit-Remaining", "X-Ratelimit-Reset", "Retry-After", "Idempotent-Replayed", "Location"}

// checkHeaders checks the headers against those of a response.
func checkHeaders(response *openapi3.Response, sent http.Header, bad func(string, ...any) error) error {
	documented := map[string]bool{}
	for name, ref := range response.Headers {
		documented[http.CanonicalHeaderKey(name)] = true
		h, value := ref.Value, sent.Get(name)
		if value == "" && h.Required {
			return bad("no header %s", name)
		}
		if value == "" {
			continue
		}
		var v any = value
		if h.Schema.Value.Type.Is("integer") && json.Unmarshal([]byte(value), &v) != nil {
			return bad("%s: %s is no number", name, value)
		}
		if err := h.Schema.Value.VisitJSON(v, openapi3.EnableJSONSchema2020()); err != nil {
			return bad("%s: %s is not what the contract says", name, value)
		}
	}
	for _, name := range instructing {
		if sent.Get(name) != "" && !documented[name] {
			return bad("the header %s, which the operation does not have", name)
		}
	}
	return nil
}

// Check returns an error for an answer that the contract does not have: for its status, its headers, its type, or a member of its body. The
// answer for an unknown route must be 404 in the form of the framework.
func (c *Contract) Check(a Answer) error {
	bad := func(format string, args ...any) error {
		return fmt.Errorf("%s %s: %d: %s", a.Method, a.Path, a.Status, fmt.Sprintf(format, args...))
	}
	op := c.Operation(a.Method, a.Path)
	switch {
	case op == nil && a.Status != http.StatusNotFound:
		return bad("there is no such operation")
	case op == nil:
		return c.check(c.Doc.Components.Schemas["FrameworkError"].Value, a.Body, bad)
	}
	documented := op.Responses.Status(a.Status)
	if documented == nil && a.Status >= http.StatusInternalServerError {
		documented = op.Responses.Default()
	}
	if documented == nil {
		return bad("the operation has no answer of that status")
	}
	if err := checkHeaders(documented.Value, a.Header, bad); err != nil {
		return err
	}
	kind, _, _ := mime.ParseMediaType(a.Header.Get("Content-Type"))
	content := documented.Value.Content
	switch {
	case len(a.Body) == 0: // HEAD, or an answer without a body
		return nil
	case content.Get(kind) == nil:
		return bad("an answer of type %q, the operation has %v", kind, content)
	case kind != "application/json" || content.Get(kind).Schema == nil:
		return nil
	}
	return c.check(content.Get(kind).Schema.Value, a.Body, bad)
}

func (c *Contract) check(schema *openapi3.Schema, body []byte, bad func(string, ...any) error) error {
	var v any
	if err := json.Unmarshal(body, &v); err != nil {
		return bad("no JSON: %v", err)
	}
	if err := schema.VisitJSON(v, openapi3.EnableJSONSchema2020(), openapi3.EnableFormatValidation()); err != nil {
		return bad("not what the contract says: %v", strings.TrimSpace(err.Error()))
	}
	return nil
}
