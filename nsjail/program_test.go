// SPDX-License-Identifier: Apache-2.0

package nsjail

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// TestProgram holds the set-up order: a change of it shows up in review as a change of testdata/*.program.
func TestProgram(t *testing.T) {
	cfg := (&box{root: "/images/python"}).config()
	cfg.OpenDir = "/workspace"
	cfg.cgroup = "sb-1"
	v2 := hierarchies{unified: "/sys/fs/cgroup/ccee", memory: "/sys/fs/cgroup/ccee", cpu: "/sys/fs/cgroup/ccee", pids: "/sys/fs/cgroup/ccee"}.view()
	v1 := hierarchies{memory: "/m/ccee", cpu: "/c/ccee", pids: "/p/ccee", cpuset: "/s/ccee", cpuacctShown: "/a/ccee"}.view()
	p := process("echo", "hello")
	p.Files = []File{{Name: "main.py", Data: []byte("print()\n"), Mode: 0o644}, {Name: "pkg/a/b.py", Mode: 0o644}, {Name: "pkg/c.py", Data: make([]byte, 200_000), Mode: 0o755}}
	copying := process("echo", "hello")
	copying.Files = []File{{Name: "Main.class", Mode: 0o644, Copy: 1_000_000}, {Name: "empty", Mode: 0o644}, {Name: "pkg/A.class", Mode: 0o755, Copy: 10}}
	u := &user{keeper: leastID, program: leastID + 1, group: leastID + 1}
	for _, tt := range []struct {
		name    string
		packets [][]op
	}{
		{"stage", [][]op{stageProgram([]string{"/var/lib/ccee/images"}, host{cgroups: v1})}},
		{"spawn", [][]op{spawnProgram(cfg, true)}},
		{"network", [][]op{networkProgram(false)}},
		{"network-loopback", [][]op{networkProgram(true)}},
		{"sandbox", [][]op{sandboxProgram(cfg, host{landlock: 7, smt: true, initOnOverlay: true, cgroups: v2})}},
		{"sandbox-plain", [][]op{sandboxProgram(cfg, host{cgroups: v1})}},
		{"process", processProgram(p, host{killable: true})},
		{"copy", processProgram(copying, host{killable: true})},
		{"continue", continueProgram(p)},
		{"task", append([][]op{taskStageProgram(), taskProgram(cfg, host{}, u)}, processProgram(u.process(p), host{})...)},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var got strings.Builder
			for _, ops := range tt.packets {
				for _, o := range ops {
					fmt.Fprintln(&got, o)
				}
			}
			golden(t, "testdata/"+tt.name+".program", got.String())
		})
	}
}

func golden(t *testing.T, path, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s differs (rewrite with -update and explain the change in the commit); got\n%s\nwant\n%s", path, got, want)
	}
}

// TestPackets checks that every packet fits, ends in a stop, and that no byte of a file is lost between them.
func TestPackets(t *testing.T) {
	for _, size := range []int{0, 1, fileChunk - 1, fileChunk, fileChunk + 1, packetMax, 1_000_000} {
		data := bytes.Repeat([]byte{'x'}, size)
		p := process()
		p.Args = append(p.Args, strings.Repeat("a", 32_768))
		p.Files = []File{{Name: "f", Data: data, Mode: 0o644}}
		total := 0
		for _, ops := range processProgram(p, host{killable: true}) {
			b, err := encodePacket(ops)
			if err != nil {
				t.Fatalf("size %d: %v", size, err)
			}
			if len(b)%8 != 0 {
				t.Errorf("size %d: packet of %d bytes is not aligned", size, len(b))
			}
			if last := ops[len(ops)-1].code; last != opWait && last != opExec {
				t.Errorf("size %d: packet ends in %s", size, opNames[last])
			}
			for _, o := range ops {
				switch o.code {
				case opFile, opData:
					total += len(o.data)
				}
			}
		}
		if total != size {
			t.Errorf("size %d: %d bytes are in packets", size, total)
		}
	}
}

func TestIDMap(t *testing.T) {
	got := idMap([]IDMap{{ContainerID: 0, HostID: 7, Size: 1}, {ContainerID: 1000, HostID: 8, Size: 1}})
	if want := "0 7 1\n1000 8 1\n"; got != want {
		t.Errorf("idMap = %q, want %q", got, want)
	}
}

// FuzzReply: replies come from a process that stands next to hostile ones.
func FuzzReply(f *testing.F) {
	f.Add([]byte{})
	f.Add(make([]byte, replySize))
	f.Add(append([]byte{replyFailed}, make([]byte, replySize-1)...))
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := decodeReply(b)
		if err == nil && (len(b) != replySize || r.code < replyReady || r.code > replyFailed) {
			t.Errorf("decodeReply(%d bytes) = %+v, want an error", len(b), r)
		}
		if r.code == replyFailed {
			_ = opError([]op{{code: opMount, strs: []string{"tmpfs", "tmp"}}, {code: opExec, strs: []string{"/"}}}, r).Error()
		}
	})
}
