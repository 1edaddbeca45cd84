// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"cmp"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// family lists the stack's processes: ccee up and whatever descends from it, jails included.
func (s *stack) family() []process {
	family := map[int]bool{s.cmd.Process.Pid: true}
	all := processes()
	slices.SortFunc(all, func(a, b process) int { return cmp.Or(cmp.Compare(a.started, b.started), cmp.Compare(a.pid, b.pid)) })
	var list []process
	for _, p := range all { // parents start before their children
		if family[p.pid] || family[p.parent] {
			family[p.pid] = true
			list = append(list, p)
		}
	}
	return list
}

// wantGone waits until none of these processes is left. Their start time distinguishes them from later processes with the same pids.
func wantGone(t *testing.T, family []process) {
	t.Helper()
	if len(family) < 6 {
		t.Errorf("the stack had the processes %v, want at least up, redis, daemon, its spawner, worker and api", family)
	}
	eventually(t, "no process is left", 5*time.Second, func() (bool, string) {
		var left []process
		for _, p := range processes() {
			for _, f := range family {
				if p.pid == f.pid && p.started == f.started && p.state != "Z" {
					left = append(left, p)
				}
			}
		}
		return len(left) == 0, fmt.Sprint(left)
	})
}

// wantFiles: after a stop there are Redis's files and the locks, and nothing else; above all no socket.
func (s *stack) wantFiles(t *testing.T) {
	t.Helper()
	for _, dir := range []string{s.dir, s.sockets} {
		err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() {
				return err
			}
			name := strings.TrimPrefix(path, dir+"/")
			if name != "log" && name != "data/up.lock" && name != "daemon.sock.lock" && !strings.HasPrefix(name, "data/redis/appendonlydir/") {
				t.Errorf("%s is left (%v)", path, d.Type())
			}
			return nil
		})
		if err != nil {
			t.Error(err)
		}
	}
}
