// SPDX-License-Identifier: Apache-2.0

package seccomp

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the golden files")

// TestParseGolden reads a policy with every member there is, writes what was understood, and reads that again.
func TestParseGolden(t *testing.T) {
	p, err := Load(filepath.Join("testdata", "every-member.json"))
	if err != nil {
		t.Fatal(err)
	}
	got, err := json.MarshalIndent(p, "", "\t")
	if err != nil {
		t.Fatal(err)
	}
	got = append(got, '\n')
	golden := filepath.Join("testdata", "every-member.golden")
	if *update {
		if err := os.WriteFile(golden, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("understood\n%s\nwant\n%s", got, want)
	}
	if _, err := Parse(got); err != nil {
		t.Errorf("Parse(what was understood): %v", err)
	}
}

func TestBadPolicies(t *testing.T) {
	rule := func(members string) string {
		return `{"defaultAction": "SCMP_ACT_ERRNO", "syscalls": [{"name": "read", "action": "SCMP_ACT_ALLOW"}, {` + members + `}]}`
	}
	arg := func(members string) string {
		return rule(`"name": "ioctl", "action": "SCMP_ACT_ALLOW", "args": [{` + members + `}]`)
	}
	for _, tt := range []struct{ name, policy, want string }{
		{"empty", ``, "line 1: unexpected end"},
		{"null", `null`, "null where a policy object belongs"},
		{"array", `[]`, "line 1: array where an object belongs"},
		{"two values", `{"defaultAction": "SCMP_ACT_ALLOW"} {}`, "after top-level value"},
		{"syntax", "{\n\"defaultAction\":\n;}", "line 3: invalid character ';'"},
		{"type", "{\"defaultAction\": \"SCMP_ACT_ERRNO\",\n\"defaultErrnoRet\": \"EPERM\"}", "line 2: defaultErrnoRet: string where a number from 0 to 65535 belongs"},
		{"negative", arg(`"index": 0, "value": -1, "op": "SCMP_CMP_EQ"`), "syscalls.args.value: number -1 where a number, not negative, belongs"},
		{"too large", `{"defaultAction": "` + strings.Repeat("x", maxSize) + `"}`, "more than 1048576 bytes"},
		{"deep", strings.Repeat("[", 20000), "exceeded max depth"},
		{"unknown member", `{"defaultAcion": "SCMP_ACT_ALLOW"}`, `unknown member "defaultAcion"; did you mean "defaultAction"?`},
		{"unknown inner member", arg(`"index": 0, "vlaue": 1, "op": "SCMP_CMP_EQ"`), `syscalls[1].args[0]: unknown member "vlaue"; did you mean "value"?`},
		{"member in other case", rule(`"Name": "read", "action": "SCMP_ACT_ALLOW"`), `syscalls[1]: unknown member "Name"; did you mean "name"?`},
		{"member twice", rule(`"name": "bpf", "action": "SCMP_ACT_ERRNO", "action": "SCMP_ACT_ALLOW"`), `syscalls[1]: member "action" is there twice`},
		{"OCI listener", `{"defaultAction": "SCMP_ACT_ALLOW", "listenerPath": "/run/x"}`, `unknown member "listenerPath"`},
		{"no default", `{}`, "defaultAction: missing"},
		{"default", `{"defaultAction": "ALLOW"}`, `defaultAction: unknown action "ALLOW"`},
		{"default notify", `{"defaultAction": "SCMP_ACT_NOTIFY"}`, "defaultAction: SCMP_ACT_NOTIFY is for single calls"},
		{"default errno", `{"defaultAction": "SCMP_ACT_ALLOW", "defaultErrnoRet": 1}`, "defaultErrnoRet: only SCMP_ACT_ERRNO"},
		{"large errno", `{"defaultAction": "SCMP_ACT_ERRNO", "defaultErrnoRet": 4095}`, "defaultErrnoRet: error numbers end at 4094"},
		{"both arch lists", `{"defaultAction": "SCMP_ACT_ALLOW", "architectures": ["SCMP_ARCH_X86_64"], "archMap": [{"architecture": "SCMP_ARCH_X86_64"}]}`,
			"architectures and archMap say the same thing"},
		{"arch", `{"defaultAction": "SCMP_ACT_ALLOW", "architectures": ["amd64"]}`, `architectures[0]: unknown architecture "amd64"`},
		{"arch in map", `{"defaultAction": "SCMP_ACT_ALLOW", "archMap": [{"architecture": ""}]}`, `archMap[0].architecture: unknown architecture ""`},
		{"sub-arch", `{"defaultAction": "SCMP_ACT_ALLOW", "archMap": [{"architecture": "SCMP_ARCH_X86_64", "subArchitectures": ["i386"]}]}`,
			`archMap[0].subArchitectures[0]: unknown architecture "i386"`},
		{"flag", `{"defaultAction": "SCMP_ACT_ALLOW", "flags": ["TSYNC"]}`, `flags[0]: unknown flag "TSYNC"`},
		{"no name", rule(`"action": "SCMP_ACT_ALLOW"`), "syscalls[1]: give either names or name"},
		{"name and names", rule(`"name": "read", "names": ["write"], "action": "SCMP_ACT_ALLOW"`), "syscalls[1]: give either names or name"},
		{"misspelt call", rule(`"names": ["write", "opneat"], "action": "SCMP_ACT_ALLOW"`), `syscalls[1].names[1]: there is no system call "opneat"; did you mean "openat"?`},
		{"misspelt new call", rule(`"name": "fchmodat3", "action": "SCMP_ACT_ALLOW"`), `there is no system call "fchmodat3"; did you mean "fchmodat"?`},
		{"far from any call", rule(`"name": "make_me_a_sandwich", "action": "SCMP_ACT_ALLOW"`), `there is no system call "make_me_a_sandwich"`},
		{"hidden in a name", rule(`"name": "read\u0000", "action": "SCMP_ACT_ALLOW"`), `syscalls[1].names[0]: "read\x00" is not the name of a system call`},
		{"empty name", rule(`"names": [""], "action": "SCMP_ACT_ALLOW"`), `syscalls[1].names[0]: "" is not the name`},
		{"no action", rule(`"name": "write"`), "syscalls[1].action: missing"},
		{"action", rule(`"name": "write", "action": "SCMP_ACT_DENY"`), `syscalls[1].action: unknown action "SCMP_ACT_DENY"`},
		{"errno of allow", rule(`"name": "write", "action": "SCMP_ACT_ALLOW", "errnoRet": 1`), "syscalls[1].errnoRet: only SCMP_ACT_ERRNO"},
		{"index", arg(`"index": 6, "value": 1, "op": "SCMP_CMP_EQ"`), "syscalls[1].args[0].index: a system call has the arguments 0 to 5, not 6"},
		{"no op", arg(`"index": 0, "value": 1`), `syscalls[1].args[0].op: unknown comparison ""`},
		{"second value", arg(`"index": 0, "value": 1, "valueTwo": 2, "op": "SCMP_CMP_EQ"`), "syscalls[1].args[0].valueTwo: only SCMP_CMP_MASKED_EQ"},
		{"outside the mask", arg(`"index": 0, "value": 1, "valueTwo": 2, "op": "SCMP_CMP_MASKED_EQ"`), "syscalls[1].args[0].valueTwo: 0x2 has bits outside"},
		{"never", arg(`"index": 0, "value": 0, "op": "SCMP_CMP_LT"`), "syscalls[1].args[0].value: nothing is SCMP_CMP_LT 0"},
		{"argument twice", arg(`"index": 0, "value": 3, "op": "SCMP_CMP_GT"}, {"index": 0, "value": 9, "op": "SCMP_CMP_LT"`),
			"syscalls[1].args[1].index: argument 0 is tested twice"},
		{"cap", rule(`"name": "write", "action": "SCMP_ACT_ALLOW", "includes": {"caps": ["SYS_ADMIN"]}`), `syscalls[1].includes.caps[0]: "SYS_ADMIN" is not a capability`},
		{"condition arch", rule(`"name": "write", "action": "SCMP_ACT_ALLOW", "excludes": {"arches": ["SCMP_ARCH_X86_64"]}`), `syscalls[1].excludes.arches[0]: unknown architecture`},
		{"kernel", rule(`"name": "write", "action": "SCMP_ACT_ALLOW", "includes": {"minKernel": "new"}`), `syscalls[1].includes.minKernel: "new" is not a kernel version`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := Parse([]byte(tt.policy))
			if err == nil || !strings.HasPrefix(err.Error(), "seccomp policy: ") || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("Parse says %v, want seccomp policy: ...%s", err, tt.want)
			}
		})
	}
}

func TestLoadSaysWhichFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "bad.json")
	if err := os.WriteFile(path, []byte(`{}`), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{path, path + ".missing"} {
		if _, err := Load(name); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("Load(%s) says %v, want the file's name in it", name, err)
		}
	}
}

// TestDigest: it follows the bytes, and a policy made in Go has one too.
func TestDigest(t *testing.T) {
	a, b := mustParse(t, `{"defaultAction": "SCMP_ACT_ALLOW"}`), mustParse(t, `{"defaultAction": "SCMP_ACT_LOG"}`)
	made := &Policy{DefaultAction: ActAllow}
	if a.Digest() == b.Digest() || !strings.HasPrefix(a.Digest(), "sha256:") || made.Digest() != (&Policy{DefaultAction: ActAllow}).Digest() {
		t.Errorf("digests %s, %s, %s", a.Digest(), b.Digest(), made.Digest())
	}
}

func TestDefaultHasReasons(t *testing.T) {
	for i, s := range Default().Syscalls {
		if s.Comment == "" {
			t.Errorf("default.json: syscalls[%d] %v has no comment", i, s.names())
		}
	}
}

func mustParse(t *testing.T, policy string) *Policy {
	t.Helper()
	p, err := Parse([]byte(policy))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func FuzzParse(f *testing.F) {
	f.Add(defaultJSON)
	f.Add([]byte(`{"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"name": "bpf", "action": "SCMP_ACT_ERRNO", "errnoRet": 1}]}`))
	f.Add([]byte(`{"defaultAction": "SCMP_ACT_LOG", "syscalls": [{"names": ["ioctl"], "action": "SCMP_ACT_TRACE", "errnoRet": 7, "args":
		[{"index": 1, "value": 4294967295, "valueTwo": 5, "op": "SCMP_CMP_MASKED_EQ"}]}], "flags": ["SECCOMP_FILTER_FLAG_LOG"]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		p, err := Parse(data)
		if err != nil {
			return
		}
		again, err := json.Marshal(p)
		if err != nil {
			t.Fatalf("Marshal: %v", err)
		}
		if _, err := Parse(again); err != nil {
			t.Fatalf("Parse of what Parse understood, %s: %v", again, err)
		}
		prog, err := p.CompileFor(Target{X86_64, Kernel{6, 1}})
		if err == nil && (len(prog.BPF) == 0 || len(prog.BPF)%instructionSize != 0) {
			t.Fatalf("a program of %d bytes", len(prog.BPF))
		}
	})
}
