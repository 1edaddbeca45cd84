// SPDX-License-Identifier: Apache-2.0

package escape

import (
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"testing"
)

func TestParse(t *testing.T) {
	for _, tt := range []struct {
		name, stdout string
		want         []Outcome // nil: an error
	}{
		{"refused", "mounts/chroot: refused: EPERM\nend: 1\n", []Outcome{{"mounts", "chroot", true, "EPERM", ""}}},
		{"held", "machine//dev/mem: held: empty\nend: 1\n", []Outcome{{"machine", "/dev/mem", true, "empty", ""}}},
		{"escaped", "proc/read keys: ESCAPED: it says a: b\nend: 1\n", []Outcome{{"proc", "read keys", false, "it says a: b", ""}}},
		{"broken", "abi/i386: broken: SIGBUS\nend: 1\n", []Outcome{{"abi", "i386", false, "broken: SIGBUS", ""}}},
		{"another word", "abi/i386: perhaps: x\nend: 1\n", []Outcome{{"abi", "i386", false, "perhaps: x", ""}}},
		{"nothing", "", nil},
		{"cut short", "mounts/chroot: refused: EPERM\n", nil},
		{"a line is lost", "mounts/chroot: refused: EPERM\nend: 2\n", nil},
		{"no set of that name", "end: -1\n", nil},
		{"something else", "hello\nend: 1\n", nil},
	} {
		got, err := Parse(tt.stdout)
		if !reflect.DeepEqual(got, tt.want) || (err == nil) != (tt.want != nil) {
			t.Errorf("%s: %+v, %v, want %+v", tt.name, got, err, tt.want)
		}
	}
}

// TestEveryGroupHasAFix reads the tables of the probes.
func TestEveryGroupHasAFix(t *testing.T) {
	files, err := filepath.Glob("*.c")
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for _, f := range files {
		text, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range regexp.MustCompile(`(?m)(?:^\s*(?:CALL\(|LIMIT\(|\{)|\\\n\s*\{|\) \{)"([a-z_]+)", "?`).FindAllSubmatch(text, -1) {
			seen[string(m[1])] = true
		}
	}
	for group := range seen {
		if fixes[group] == "" {
			t.Errorf("nothing is said of what to do about the group %s", group)
		}
	}
	for group := range fixes {
		if !seen[group] {
			t.Errorf("no probe is in the group %s", group)
		}
	}
}

// FuzzParse: whatever a sandbox prints, what is not reported as held has not held.
func FuzzParse(f *testing.F) {
	f.Add("mounts/chroot: refused: EPERM\nend: 1\n")
	f.Add("proc/x: ESCAPED: y\nend: 1\n")
	f.Fuzz(func(t *testing.T, stdout string) {
		outcomes, err := Parse(stdout)
		if err != nil && outcomes != nil {
			t.Errorf("both %v and %v", outcomes, err)
		}
		for _, o := range outcomes {
			if o.Held && !regexp.MustCompile(`(?m): (refused|held): `).MatchString(stdout) {
				t.Errorf("held out of nothing: %+v", o)
			}
		}
	})
}
