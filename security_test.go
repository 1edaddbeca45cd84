// SPDX-License-Identifier: Apache-2.0

package ccee

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestDocumentsNameTests: every test exists that SECURITY.md names as holding a control, api/CONTRACT.md a row of the contract, and
// infra/README.md a claim about the cloud; and each row of the contract is held or says why not.
func TestDocumentsNameTests(t *testing.T) {
	name := regexp.MustCompile("`([a-zA-Z0-9/]+)\\.((?:Test|Fuzz)[A-Za-z0-9]+)`")
	for file, least := range map[string]int{"SECURITY.md": 30, "api/CONTRACT.md": 100, "infra/README.md": 20} {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		named := name.FindAllStringSubmatch(string(text), -1)
		if len(named) < least {
			t.Fatalf("%s names only %d tests", file, len(named))
		}
		for _, m := range named {
			if !hasTest(t, m[1], m[2]) {
				t.Errorf("%s: package %s has no test %s", file, m[1], m[2])
			}
		}
		if file != "api/CONTRACT.md" {
			continue
		}
		for line := range strings.Lines(string(text)) {
			cells := strings.Split(line, " | ")
			if len(cells) == 2 && !strings.HasPrefix(line, "| row") && !name.MatchString(cells[1]) &&
				!strings.HasPrefix(cells[1], "not held: ") && !strings.HasPrefix(cells[1], "with the ECS part") {
				t.Errorf("%s: neither held nor explained: %s", file, line)
			}
		}
	}
}

// hasTest reports whether a package has a test function of that name.
func hasTest(t *testing.T, dir, name string) bool {
	files, err := filepath.Glob(filepath.Join(dir, "*_test.go"))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		source, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(source), "\nfunc "+name+"(") {
			return true
		}
	}
	return false
}
