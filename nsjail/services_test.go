// SPDX-License-Identifier: Apache-2.0

package nsjail

import "testing"

// TestOwnCgroup: the lines are those of cgroups(7).
func TestOwnCgroup(t *testing.T) {
	const hybrid = "4:memory:/m\n3:cpu,cpuacct:/system.slice/x.service\n2:name=systemd:/s\n0::/u:v\n"
	for _, tt := range []struct{ text, controller, want string }{
		{hybrid, "cpu", "/system.slice/x.service"},
		{hybrid, "memory", "/m"},
		{hybrid, "", "/u:v"},
		{"0::/\n", "", "/"},
		{"0::/\n", "cpu", ""},
		{"nonsense\n", "", ""},
	} {
		if got := ownCgroup(tt.text, tt.controller); got != tt.want {
			t.Errorf("%q in %q: %q, want %q", tt.controller, tt.text, got, tt.want)
		}
	}
}
