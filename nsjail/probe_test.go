// SPDX-License-Identifier: Apache-2.0

package nsjail

import (
	"strings"
	"testing"
)

// TestJudgeCores: the forms are those of core(5).
func TestJudgeCores(t *testing.T) {
	for _, tt := range []struct {
		pattern string
		ok      bool
		detail  string
	}{
		{"core", true, "starts nothing"},
		{"/var/crash/core.%e.%p", true, "starts nothing"},
		{"", true, "starts nothing"},
		{"|/usr/share/apport/apport -p%p -s%s -c%c", false, "a line in the kernel's log"},
		{"@/run/systemd/coredump.socket", false, "reaches the program at that socket"},
		{"@@/run/coredump.socket", false, "reaches the program at that socket"},
	} {
		if c := judgeCores(tt.pattern); c.OK != tt.ok || c.Needed || !strings.Contains(c.Detail, tt.detail) || c.Fix == "" {
			t.Errorf("%q: %+v, want OK %v, not needed, ...%s", tt.pattern, c, tt.ok, tt.detail)
		}
	}
}
