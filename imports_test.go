// SPDX-License-Identifier: Apache-2.0

package ccee

import (
	"go/parser"
	"go/token"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// mayImport is the import table: for each package of ours the other packages of ours that it may import. The layering is a
// security property: api and worker, which handle tenants' bytes as an unprivileged user, can't reach the code that runs
// as root. ARCHITECTURE.md draws it.
var mayImport = map[string][]string{
	"api":               {"job", "api/auth", "api/webhook", "api/analysis", "api/contract", "api/decode", "api/view", "api/live", "api/task", "handoff", "queue", "share", "submit"},
	"api/decode":        {"job", "api/webhook", "queue", "submit"},
	"api/view":          {"job", "api/decode", "queue"},
	"api/task":          {"job", "handoff"},
	"handoff":           {"job", "queue"},
	"task":              {"job"},
	"cloud/ecs/ecstest": {},
	"api/live":          {"job", "api/view", "queue"},
	"submit":            {"job", "queue"},
	"share":             {},
	"job":               {},
	"api/auth":          {},
	"api/webhook":       {},
	"api/analysis":      {"job"},
	"client":            {},
	"api/contract":      {},
	"worker":            {"job", "queue", "share", "daemon/client", "handoff", "cloud/ecs"},
	"queue":             {"job"},
	"archive":           {"job", "queue"},
	"cert":              {},
	"cloud/cloudwatch":  {"queue"},
	"cloud/agent":       {},
	"cloud/ecs":         {},
	"daemon":            {"job", "cert", "daemon/plan", "daemon/slots", "daemon/ready", "daemon/judge", "daemon/outputs", "nsjail", "nsjail/escape", "nsjail/shared", "seccomp", "rootfs"},
	"daemon/slots":      {"job", "share"},
	"daemon/plan":       {"job", "daemon/javasource", "daemon/slots", "nsjail"},
	"daemon/ready":      {"daemon/plan", "daemon/slots", "nsjail"},
	"daemon/judge":      {"job", "daemon/plan", "daemon/slots", "daemon/outputs", "nsjail"},
	"daemon/outputs":    {"job", "nsjail"},
	"daemon/client":     {"job"},
	"daemon/javasource": {},
	"nsjail/escape":     {},
	"nsjail/shared":     {},
	"nsjail":            {},
	"seccomp":           {},
	"rootfs":            {},
	"images":            {},
	"supervise":         {"daemon", "daemon/client", "nsjail"},
	"doctor":            {"daemon/client", "nsjail", "nsjail/escape", "nsjail/shared", "queue", "rootfs", "supervise"},
	"policy":            {"daemon", "doctor", "images", "job", "nsjail/escape", "rootfs", "seccomp"},
	"bench/load":        {"bench/capacity", "job"},
	"cmd/ccee":          {"*"},
	"e2e":               {"*"},
	"bench":             {"*"},
	"bench/capacity":    {},
	"examples/client":   {"client"},
	"mutate":            {},
	"e2e/patience":      {},
	"e2e/ecsedge":       {},
	"e2e/redistest":     {},
	"e2e/fargate":       {"seccomp"},
	"infra/images":      {"rootfs"},
	"registry":          {"rootfs"},
	"e2e/conformance":   {"job", "daemon/client", "rootfs"},
}

// forTests are packages of ours that every test may import, and each other; nothing else may.
var forTests = []string{"e2e/patience", "e2e/ecsedge", "e2e/redistest", "e2e/fargate", "cloud/ecs/ecstest"}

// barred lists packages of the standard library that a package must not import, although others may.
var barred = map[string][]string{
	"seccomp":  {"net", "net/http", "os/exec"},
	"nsjail":   {"net/http"}, // what is nearest to the programs knows no protocol but its own
	"rootfs":   {"net/http"},
	"api/auth": {"os/exec"},
}

// hasHome lists every module that product code imports, and the packages that may.
var hasHome = map[string][]string{
	"github.com/opencontainers/runc":         {"nsjail"},
	"github.com/opencontainers/cgroups":      {"nsjail"},
	"github.com/seccomp/libseccomp-golang":   {"seccomp"},
	"github.com/redis/go-redis":              {"queue"},
	"github.com/jackc/pgx":                   {"archive"},
	"github.com/julienschmidt/httprouter":    {"api", "daemon"},
	"github.com/rs/zerolog":                  {"cmd/ccee", "api", "api/live", "api/task", "submit", "task", "worker", "archive", "daemon", "daemon/ready", "supervise", "policy", "cloud/agent", "cloud/cloudwatch", "cloud/ecs"},
	"github.com/urfave/cli":                  {"cmd/ccee"},
	"go.opentelemetry.io/otel":               {"api", "worker", "daemon", "cmd/ccee", "e2e"},
	"github.com/go-jose/go-jose":             {"api/auth"},
	"github.com/getkin/kin-openapi":          {"api", "api/contract"}, // for tests alone: holds the server to openapi.yaml
	"go.yaml.in/yaml":                        {"api"},                 // /openapi.json is made of openapi.yaml; the standard library reads no YAML
	"github.com/google/go-containerregistry": {"rootfs", "registry", "infra/images"},
	"github.com/google/uuid":                 {"submit", "api"},                       // ids in the form of the original
	"github.com/klauspost/compress":          {"rootfs", "queue"},                     // zstd, which the standard library has not
	"github.com/prometheus/common":           {"api", "worker", "daemon", "cmd/ccee"}, // its version package is what client_golang's ccee_build_info tells
	"github.com/prometheus/client_golang":    {"api", "worker", "archive", "daemon", "cmd/ccee", "cloud/cloudwatch"},
	"github.com/aws/aws-sdk-go-v2":           {"cloud/cloudwatch", "cloud/ecs", "cloud/ecs/ecstest"}, // signatures, credentials of roles, retries, the protocol
	"github.com/aws/smithy-go":               {"cloud/ecs"},                                          // its errors
	"github.com/moby/profiles":               {"e2e/fargate"},                                        // Docker's own profile, as it is published: a copy would be ours
	"golang.org/x/sys":                       {"e2e/fargate", "nsjail", "nsjail/shared", "rootfs", "daemon", "daemon/slots", "daemon/plan", "daemon/outputs", "doctor", "policy", "cmd/ccee", "bench", "e2e", "e2e/conformance"},
	"golang.org/x/sync":                      {"api", "api/task", "daemon", "daemon/outputs", "rootfs"}, // semaphores with weights, groups, one flight at a time
	"golang.org/x/term":                      {"cmd/ccee", "doctor"},
}

func TestImports(t *testing.T) {
	seen := map[string]bool{}
	walkSources(t, func(path string) error {
		if !strings.HasSuffix(path, ".go") || filepath.Dir(path) == "." {
			return nil
		}
		dir := filepath.ToSlash(filepath.Dir(path))
		allowed, listed := mayImport[dir]
		if !listed {
			t.Errorf("%s: package %s is not in the import table", path, dir)
			return nil
		}
		seen[dir] = true
		f, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ImportsOnly)
		if err != nil {
			return err
		}
		for _, imp := range f.Imports {
			p, _ := strconv.Unquote(imp.Path.Value)
			check(t, path, dir, p, allowed)
		}
		return nil
	})
	for dir := range mayImport {
		if !seen[dir] {
			t.Errorf("the import table names %s, which has no Go file", dir)
		}
	}
}

func check(t *testing.T, path, dir, imported string, allowed []string) {
	if imported == "github.com/ccee-dev/ccee" { // the version
		if dir != "cmd/ccee" {
			t.Errorf("%s: main alone tells the other packages the version", path)
		}
		return
	}
	if ours, ok := strings.CutPrefix(imported, "github.com/ccee-dev/ccee/"); ok {
		if slices.Contains(forTests, ours) {
			if !strings.HasSuffix(path, "_test.go") && !slices.Contains(forTests, dir) {
				t.Errorf("%s: only tests may import %s", path, ours)
			}
		} else if ours != dir && !slices.Contains(allowed, ours) && !slices.Contains(allowed, "*") {
			t.Errorf("%s: %s may not import %s", path, dir, ours)
		}
		return
	}
	inTest := strings.HasSuffix(path, "_test.go")
	if slices.Contains(barred[dir], imported) && !inTest {
		t.Errorf("%s: %s may not import %s", path, dir, imported)
	}
	domain, _, _ := strings.Cut(imported, "/")
	if !strings.Contains(domain, ".") {
		return // the standard library
	}
	if dir == "job" {
		t.Errorf("%s: job may import only the standard library, not %s", path, imported)
	}
	known := inTest // what only tests import needs no row
	for module, homes := range hasHome {
		if imported != module && !strings.HasPrefix(imported, module+"/") {
			continue
		}
		known = true
		if !slices.Contains(homes, dir) {
			t.Errorf("%s: %s is at home in %v, not in %s", path, module, homes, dir)
		}
	}
	if !known {
		t.Errorf("%s: %s is of no module that hasHome lists: a new dependency has one home and a reason", path, imported)
	}
}

// withoutHTTP are packages that know no HTTP, so that every surface that takes submissions can be built on them. What they import of ours
// must not bring it in either.
var withoutHTTP = []string{"submit", "queue", "job"}

func TestImportsWithoutHTTP(t *testing.T) {
	for _, pkg := range withoutHTTP {
		reach(t, pkg, pkg, map[string]bool{})
	}
}

// reach follows the imports of a package of ours, and what it imports of ours, and fails the test where it finds net/http.
func reach(t *testing.T, dir, way string, seen map[string]bool) {
	t.Helper()
	if seen[dir] {
		return
	}
	seen[dir] = true
	files, err := filepath.Glob(filepath.Join(filepath.FromSlash(dir), "*.go"))
	if err != nil || len(files) == 0 {
		t.Fatalf("%s has no Go file: %v", dir, err)
	}
	for _, path := range files {
		if strings.HasSuffix(path, "_test.go") {
			continue
		}
		f, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ImportsOnly)
		if err != nil {
			t.Fatal(err)
		}
		for _, imp := range f.Imports {
			p, _ := strconv.Unquote(imp.Path.Value)
			if p == "net/http" || strings.HasPrefix(p, "net/http/") {
				t.Errorf("%s: %s imports %s: submissions come by other protocols too", path, way, p)
			}
			if ours, ok := strings.CutPrefix(p, "github.com/ccee-dev/ccee/"); ok {
				reach(t, ours, way+" > "+ours, seen)
			}
		}
	}
}
