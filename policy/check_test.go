// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"strings"
	"testing"

	"github.com/ccee-dev/ccee/seccomp"
)

// TestCheck: the built-in policy is the same as itself; one that allows all lets through what that refuses for a reason.
func TestCheck(t *testing.T) {
	r, err := Check(seccomp.Default())
	if err != nil || len(r.Changes) != 0 || r.Digest == "" || r.Instructions == 0 {
		t.Fatalf("%v, %+v", err, r)
	}
	p, err := seccomp.Parse([]byte(`{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":["getpid"],"action":"SCMP_ACT_ERRNO"}]}`))
	if err != nil {
		t.Fatal(err)
	}
	if r, err = Check(p); err != nil {
		t.Fatal(err)
	}
	r.NotTried = "that needs root"
	var out strings.Builder
	if err := r.Print(&out); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"ok: 1 rules", "   bpf                with all arguments; the built-in policy refuses it: ", "refuses 1 call\n", "   less: getpid\n",
		"not tried in a sandbox: that needs root\n"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %q in\n%s", want, out.String())
		}
	}
}
