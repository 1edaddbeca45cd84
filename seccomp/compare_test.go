// SPDX-License-Identifier: Apache-2.0

package seccomp

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// What a policy lets through that another doesn't, and the other way round, is told of every call that is there.
func TestCompare(t *testing.T) {
	const base = `{"defaultAction":"SCMP_ACT_ERRNO","syscalls":[
		{"names":["read","openat","ioctl"],"action":"SCMP_ACT_ALLOW"},
		{"names":["ptrace"],"action":"SCMP_ACT_ERRNO","errnoRet":38,"comment":"Other processes."},
		{"names":["socket"],"action":"SCMP_ACT_ALLOW","args":[{"index":0,"value":1,"op":"SCMP_CMP_EQ"}]}]}`
	for _, tt := range []struct {
		name, old, now string // pairs that are replaced in base
		want           []Change
	}{
		{"the same", "", "", nil},
		{"one more, refused for a reason", `"read",`, `"read","ptrace",`, []Change{{"ptrace", ReachNone, ReachAll, "Other processes."}}},
		{"one more, by default refused", `"read",`, `"read","write",`, []Change{{"write", ReachNone, ReachAll, ""}}},
		{"one less", `"read","openat"`, `"read"`, []Change{{"openat", ReachAll, ReachNone, ""}}},
		{"other arguments", `"value":1`, `"value":2`, []Change{{"socket", ReachSome, ReachSome, ""}}},
		{"all arguments", `"args":[{"index":0,"value":1,"op":"SCMP_CMP_EQ"}]`, `"comment":"x"`, []Change{{"socket", ReachSome, ReachAll, ""}}},
		{"a log", `"read","openat","ioctl"],"action":"SCMP_ACT_ALLOW"`, `"read","openat","ioctl"],"action":"SCMP_ACT_LOG"`, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			other := strings.Replace(base, tt.old, tt.now, 1)
			if tt.name == "one more, refused for a reason" { // one call can't have two rules that contradict
				other = strings.Replace(other, `{"names":["ptrace"],"action":"SCMP_ACT_ERRNO","errnoRet":38,"comment":"Other processes."},`, "", 1)
			}
			changes, err := mustParse(t, other).Compare(mustParse(t, base), Target{Arch: X86_64})
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, changes); diff != "" {
				t.Errorf("changes (-want +got):\n%s", diff)
			}
		})
	}
}

// A policy that allows all is named as what it is: every call that ours refuses is more, none is less.
func TestCompareAllowAll(t *testing.T) {
	changes, err := mustParse(t, `{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[]}`).Compare(Default(), Target{Arch: X86_64})
	if err != nil {
		t.Fatal(err)
	}
	of := map[string]Change{}
	for _, c := range changes {
		of[c.Name] = c
		if !c.More() || c.Is != ReachAll {
			t.Errorf("%+v", c)
		}
	}
	for _, name := range []string{"ptrace", "mount", "bpf", "io_uring_setup", "socket", "clone"} {
		if of[name].Why == "" {
			t.Errorf("%s: %+v, want more than ours, with the reason of ours", name, of[name])
		}
	}
	if _, there := of["read"]; there {
		t.Error("read is no difference")
	}
}
