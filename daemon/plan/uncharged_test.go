// SPDX-License-Identifier: Apache-2.0

package plan

import (
	"testing"

	"github.com/ccee-dev/ccee/job"
)

// TestUncharged: struct poll_table_entry has 64 bytes and struct pollfd 8 (linux/poll.h, poll(2)). The default limits reserve nothing.
func TestUncharged(t *testing.T) {
	for _, tt := range []struct {
		name  string
		limit job.Limits
		want  int64
	}{
		{"defaults of a run step", job.DefaultRun, 0},
		{"defaults of a compile step", job.DefaultCompile, 0},
		{"the most threads waiting for the most descriptors", job.Limits{MemoryBytes: 64 * job.MiB, PidsMax: 1024, OpenFiles: 4096}, 1024*4096*136 - 64*job.MiB/7},
		{"few descriptors: control messages", job.Limits{MemoryBytes: 7 * job.MiB, PidsMax: 1000, OpenFiles: 16}, 1000*32_768 - job.MiB},
		{"one thread", job.Limits{MemoryBytes: job.MiB, PidsMax: 1, OpenFiles: 64}, 0},
	} {
		if got := uncharged(tt.limit); got != tt.want {
			t.Errorf("%s: %d, want %d", tt.name, got, tt.want)
		}
		p := Plan{Steps: []Step{{Limits: tt.limit}}}
		if got := p.Need().Pids; got != tt.limit.PidsMax+1 {
			t.Errorf("%s: takes %d processes of the budget, want sandbox-init with them", tt.name, got)
		}
		if got, want := p.Need().Memory, tt.limit.MemoryBytes+tt.want; got != want {
			t.Errorf("%s: takes %d of the budget, want %d", tt.name, got, want)
		}
	}
}
