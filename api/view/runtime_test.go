// SPDX-License-Identifier: Apache-2.0

package view

import (
	"encoding/json"
	"os"
	"testing"

	"github.com/ccee-dev/ccee/job"
)

// The languages that are shipped have the names and files of the contract.
func TestShippedRuntimes(t *testing.T) {
	for name, want := range map[string]struct{ displayName, sourceFile, runtime string }{
		"java": {"Java", "Main.java", "OpenJDK 1"}, "python": {"Python", "main.py", "Python 1"}, "javascript": {"JavaScript", "main.js", "Node.js 1"},
	} {
		text, err := os.ReadFile("../../images/" + name + "/language.json")
		if err != nil {
			t.Fatal(err)
		}
		l := job.Language{}
		if err := json.Unmarshal(text, &l); err != nil {
			t.Fatal(err)
		}
		l.Version = "1"
		if v := NewRuntime(l); v.Language != name || v.DisplayName != want.displayName || v.SourceFile != want.sourceFile || v.Runtime != want.runtime {
			t.Errorf("%s: %q, %q, %q, want %+v", name, v.DisplayName, v.SourceFile, v.Runtime, want)
		}
	}
}
