// SPDX-License-Identifier: Apache-2.0

package api

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/google/go-cmp/cmp"

	"github.com/ccee-dev/ccee/api/contract"
	"github.com/ccee-dev/ccee/api/decode"
	"github.com/ccee-dev/ccee/job"
)

// described reads openapi.yaml, which also checks that the file is valid OpenAPI and that its examples are what its schemas say.
var described = sync.OnceValues(func() (*contract.Contract, error) { return contract.Load("openapi.yaml") })

func requireContract(t testing.TB) *openapi3.T {
	t.Helper()
	c, err := described()
	if err != nil {
		t.Fatalf("openapi.yaml: %v", err)
	}
	return c.Doc
}

// holdToContract fails the test when openapi.yaml does not foresee the answer.
func holdToContract(t testing.TB, r *http.Request, a answer) {
	t.Helper()
	requireContract(t)
	c, _ := described()
	if c.Operation(r.Method, r.URL.EscapedPath()) == nil {
		return // tests of the layer below ask for what there is not
	}
	if err := c.Check(contract.Answer{Method: r.Method, Path: r.URL.EscapedPath(), Status: a.status, Header: a.header, Body: []byte(a.raw)}); err != nil {
		t.Error(err)
	}
}

func TestContractHasTheRoutes(t *testing.T) {
	doc := requireContract(t)
	var want, got []string
	for _, rt := range (&Server{}).routes() {
		path := regexp.MustCompile(`:([a-zA-Z]+)`).ReplaceAllString(rt.path, "{$1}")
		want = append(want, rt.method+" "+path)
		op := doc.Paths.Value(path).GetOperation(rt.method)
		if op == nil {
			continue // shows below
		}
		if open := op.Security != nil && len(*op.Security) == 0; open != (rt.access == anyone) {
			t.Errorf("%s %s: openapi.yaml says that anyone may call: %v", rt.method, path, open)
		}
	}
	for path, item := range doc.Paths.Map() {
		for method := range item.Operations() {
			got = append(got, method+" "+path)
		}
	}
	slices.Sort(want)
	slices.Sort(got)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("routes (-server +openapi.yaml):\n%s", diff)
	}
}

// Each example of a submission is accepted.
func TestContractExamples(t *testing.T) {
	s := newStack(t, nil)
	consume(t, s.queue, func(job.Spec) job.Result { return exited(0, "hello\n") })
	requireContract(t)
	c, _ := described()
	op := c.Operation("POST", "/v1/jobs")
	for name, example := range op.RequestBody.Value.Content.Get("application/json").Examples {
		body, err := json.Marshal(example.Value.Value)
		if err != nil {
			t.Fatal(err)
		}
		if a := s.post("/v1/jobs", string(body)); a.status != 202 {
			t.Errorf("example %s: %d %s, want 202", name, a.status, a.raw)
		}
	}
}

// The members of the limits in openapi.yaml, and their bounds, are those of the server.
func TestContractLimits(t *testing.T) {
	doc := requireContract(t)
	properties := doc.Components.Schemas["LimitsRequest"].Value.Properties
	floor, ceiling := job.MinLimits, job.MaxLimits
	for _, f := range decode.Limits {
		p := properties[f.Name]
		if p == nil {
			t.Errorf("openapi.yaml has no limit %s", f.Name)
			continue
		}
		want := f.Bounds(floor, ceiling)
		if *p.Value.Min != float64(want.Min) || *p.Value.Max != float64(want.Max) {
			t.Errorf("%s: openapi.yaml has %v to %v, the server %d to %d", f.Name, *p.Value.Min, *p.Value.Max, want.Min, want.Max)
		}
	}
	if len(properties) != len(decode.Limits) {
		t.Errorf("openapi.yaml has %d limits, the server %d", len(properties), len(decode.Limits))
	}
	top := doc.Components.Schemas["Submission"].Value.Properties
	for name, want := range decode.ContractBounds {
		if p := top[name].Value; *p.Min != float64(want.Min) || *p.Max != float64(want.Max) {
			t.Errorf("%s: openapi.yaml has %v to %v, the server %d to %d", name, *p.Min, *p.Max, want.Min, want.Max)
		}
	}
}

// The key for trying things out is in no shipped document but where it belongs.
func TestContractHasNoKey(t *testing.T) {
	text, err := os.ReadFile("openapi.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(text), "dev-local-key") {
		t.Error("openapi.yaml has the development key")
	}
}

// /openapi.json is openapi.yaml, as a reader of OpenAPI understands it.
func TestContractAsJSON(t *testing.T) {
	var want, got any
	data, err := json.Marshal(requireContract(t))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(data, &want); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(contractJSON(), &got); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("/openapi.json (-openapi.yaml +served):\n%.2000s", diff)
	}
}

func BenchmarkContractJSON(b *testing.B) {
	for b.Loop() {
		contractJSON()
	}
}

// What is held to the contract can fail.
func TestContractIsHeld(t *testing.T) {
	doc := requireContract(t)
	if !doc.IsOpenAPI31OrLater() {
		t.Errorf("the contract is of version %s", doc.OpenAPI)
	}
	for schema, bodies := range map[string][]string{
		"Accepted":  {`{}`, `{"jobId":"x"}`, `{"jobId":3,"executionId":"x","traceId":"t","status":"queued","statusUrl":"u","executionUrl":"u"}`},
		"SingleJob": {`{"jobId":"x","result":{"verdict":"strange"}}`},
		"Refusal":   {`{"error":"strange","traceId":"t"}`, `{"error":"not_found","traceId":"t","more":1}`},
	} {
		for _, text := range bodies {
			var body any
			if err := json.Unmarshal([]byte(text), &body); err != nil {
				t.Fatal(err)
			}
			if doc.Components.Schemas[schema].Value.VisitJSON(body, openapi3.EnableJSONSchema2020()) == nil {
				t.Errorf("%s was taken as %s", text, schema)
			}
		}
	}
}

func TestDocs(t *testing.T) {
	s := newStack(t, nil)
	for path, kind := range map[string]string{"/openapi.json": "application/json", "/docs": "text/html", "/docs/docs.css": "text/css", "/docs/docs.js": "text/javascript",
		"/admin/observability": "text/html", "/ui/page.css": "text/css", "/ui/page.js": "text/javascript"} {
		w := httptest.NewRecorder()
		s.server.ServeHTTP(w, httptest.NewRequest("GET", path, nil))
		if w.Code != 200 || w.Header().Get("Content-Type") != kind+"; charset=utf-8" || !strings.Contains(w.Header().Get("Content-Security-Policy"), "default-src 'none'") {
			t.Errorf("%s: %d %v", path, w.Code, w.Header())
		}
		r := httptest.NewRequest("GET", path, nil)
		r.Header.Set("If-None-Match", w.Header().Get("ETag"))
		again := httptest.NewRecorder()
		s.server.ServeHTTP(again, r)
		if again.Code != 304 || again.Body.Len() != 0 {
			t.Errorf("%s again: %d with %d bytes, want 304", path, again.Code, again.Body.Len())
		}
	}
}
