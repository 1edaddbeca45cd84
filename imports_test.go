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
	"api":               {"job", "api/auth", "api/webhook", "api/analysis", "api/contract", "queue"},
	"job":               {},
	"api/auth":          {},
	"api/webhook":       {},
	"api/analysis":      {"job"},
	"client":            {},
	"api/contract":      {},
	"worker":            {"job", "queue", "daemon/client"},
	"queue":             {"job"},
	"archive":           {"job", "queue"},
	"daemon":            {"job", "daemon/javasource", "nsjail", "nsjail/escape", "nsjail/shared", "seccomp", "rootfs"},
	"daemon/client":     {"job"},
	"daemon/javasource": {},
	"nsjail/escape":     {},
	"nsjail/shared":     {},
	"nsjail":            {},
	"seccomp":           {},
	"rootfs":            {},
	"images":            {},
	"cmd/ccee":          {"*"},
	"e2e":               {"*"},
	"bench":             {"*"},
	"bench/capacity":    {},
	"examples/client":   {"client"},
	"mutate":            {},
	"e2e/patience":      {},
	"e2e/conformance":   {"job", "daemon/client", "rootfs"},
}

// forTests are packages of ours that every test may import, and nothing else.
var forTests = []string{"e2e/patience"}

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
	"github.com/rs/zerolog":                  {"cmd/ccee", "api", "worker", "archive", "daemon"},
	"github.com/urfave/cli":                  {"cmd/ccee"},
	"go.opentelemetry.io/otel":               {"api", "worker", "daemon", "cmd/ccee", "e2e"},
	"github.com/openai/openai-go":            {"api/analysis"},
	"github.com/go-jose/go-jose":             {"api/auth"},
	"github.com/getkin/kin-openapi":          {"api", "api/contract"}, // for tests alone: holds the server to openapi.yaml
	"github.com/google/go-containerregistry": {"rootfs"},
	"github.com/google/uuid":                 {"api"},                                 // ids in the form of the original
	"github.com/klauspost/compress":          {"rootfs", "queue"},                     // zstd, which the standard library has not
	"github.com/prometheus/common":           {"api", "worker", "daemon", "cmd/ccee"}, // its version package is what client_golang's ccee_build_info tells
	"github.com/prometheus/client_golang":    {"api", "worker", "archive", "daemon", "cmd/ccee"},
	"golang.org/x/sys":                       {"nsjail", "nsjail/shared", "rootfs", "daemon", "cmd/ccee", "bench", "e2e", "e2e/conformance"},
	"golang.org/x/sync":                      {"api", "daemon", "rootfs"}, // semaphores with weights, groups, one flight at a time
	"golang.org/x/term":                      {"cmd/ccee"},
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
			if !strings.HasSuffix(path, "_test.go") {
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
