// SPDX-License-Identifier: Apache-2.0

package daemon

import (
	"strings"
	"testing"

	"github.com/rs/zerolog"

	"github.com/ccee-dev/ccee/seccomp"
)

// TestPoliciesThatCantBeHonoured: a daemon doesn't start with a policy that it would apply only in part.
func TestPoliciesThatCantBeHonoured(t *testing.T) {
	for _, tt := range []struct{ policy, want string }{
		{`{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":["mount"],"action":"SCMP_ACT_NOTIFY"}]}`, "SCMP_ACT_NOTIFY"},
		{`{"defaultAction":"SCMP_ACT_ERRNO","flags":["SECCOMP_FILTER_FLAG_SPEC_ALLOW"],"syscalls":[{"names":["execve"],"action":"SCMP_ACT_ALLOW"}]}`, "flags"},
		{`{"defaultAction":"SCMP_ACT_ERRNO","syscalls":[{"names":["read"],"action":"SCMP_ACT_ALLOW"}]}`, "execve"},
	} {
		p, err := seccomp.Parse([]byte(tt.policy))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := newFilters(p, jailTier, zerolog.Nop()); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, want an error with %q", tt.policy, err, tt.want)
		}
	}
	if _, err := newFilters(seccomp.Default(), jailTier, zerolog.Nop()); err != nil {
		t.Error(err)
	}
}
