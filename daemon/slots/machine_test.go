// SPDX-License-Identifier: Apache-2.0

package slots

import (
	"math"
	"os"
	"path/filepath"
	"testing"
)

// tree writes files below a new directory.
func tree(t *testing.T, files map[string]string) string {
	dir := t.TempDir()
	for name, text := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestCgroupLimit(t *testing.T) {
	for _, tt := range []struct {
		name  string
		files map[string]string
		want  int64
	}{
		{"v2", map[string]string{"self": "0::/a/b\n", "fs/a/b/memory.max": "max\n", "fs/a/memory.max": "4096\n"}, 4096},
		{"v2 root", map[string]string{"self": "0::/\n"}, noLimit},
		{"v1", map[string]string{"self": "4:memory:/x\n3:cpu:/x\n", "fs/memory/x/memory.limit_in_bytes": "8192\n", "fs/cpu/x/memory.max": "1\n"}, 8192},
		{"v1 without a limit", map[string]string{"self": "4:memory:/\n", "fs/memory/memory.limit_in_bytes": "9223372036854771712\n"}, noLimit},
		{"hybrid, the lower one", map[string]string{"self": "4:memory:/x\n0::/y\n", "fs/memory/x/memory.limit_in_bytes": "8192", "fs/y/memory.max": "100"}, 100},
		{"above the namespace", map[string]string{"self": "0::/../../x\n", "fs/x/memory.max": "77"}, 77},
	} {
		dir := tree(t, tt.files)
		got, err := cgroupLimit(filepath.Join(dir, "self"), filepath.Join(dir, "fs"), "memory", "memory.limit_in_bytes")
		if err != nil || got != tt.want {
			t.Errorf("%s: %d, %v, want %d", tt.name, got, err, tt.want)
		}
	}
	dir := tree(t, map[string]string{"self": "nonsense"})
	if _, err := cgroupLimit(filepath.Join(dir, "self"), dir, "memory", "memory.limit_in_bytes"); err == nil {
		t.Error("a line without colons was taken")
	}
}

// TestCgroupLimitOfProcesses: on v1 the file is called as on v2.
func TestCgroupLimitOfProcesses(t *testing.T) {
	for name, files := range map[string]map[string]string{
		"v2": {"self": "0::/a/b\n", "fs/a/b/pids.max": "max\n", "fs/a/pids.max": "500\n", "fs/a/memory.max": "1\n"},
		"v1": {"self": "4:memory:/x\n3:pids:/x\n", "fs/pids/x/pids.max": "500\n", "fs/memory/x/memory.limit_in_bytes": "1\n"},
	} {
		dir := tree(t, files)
		if got, err := cgroupLimit(filepath.Join(dir, "self"), filepath.Join(dir, "fs"), "pids", "pids.max"); err != nil || got != 500 {
			t.Errorf("%s: %d, %v, want 500", name, got, err)
		}
	}
}

func TestQuota(t *testing.T) {
	dir := tree(t, map[string]string{"two": "150000 100000\n", "small": "1000 100000\n", "none": "max 100000\n"})
	for name, want := range map[string]int{"two": 2, "small": 1, "none": math.MaxInt, "missing": math.MaxInt} {
		if got := quota(filepath.Join(dir, name)); got != want {
			t.Errorf("quota of %s = %d, want %d", name, got, want)
		}
	}
}

func TestMemTotal(t *testing.T) {
	dir := tree(t, map[string]string{"good": "MemFree: 1 kB\nMemTotal:       2048 kB\n", "none": "MemFree: 1 kB\n", "odd": "MemTotal: x kB\n"})
	if got, err := memTotal(filepath.Join(dir, "good")); got != 2048<<10 || err != nil {
		t.Errorf("memTotal = %d, %v, want 2 MiB", got, err)
	}
	for _, name := range []string{"none", "odd", "missing"} {
		if _, err := memTotal(filepath.Join(dir, name)); err == nil {
			t.Errorf("memTotal took the file %s", name)
		}
	}
}
