// SPDX-License-Identifier: Apache-2.0

package job

import "testing"

// TestInForce: when one limit is raised, which others go up with it, for every pair of limits. What is not in the table stays.
func TestInForce(t *testing.T) {
	max := MaxLimits
	follows := map[[2]string]int64{ // raised to its maximum, and what becomes of the other
		{"wallMs", "cpuMs"}:                     61_000, // 60 s and one more
		{"cpuMillicores", "cpuMs"}:              32_000, // 3 s and one more, on 8 cores
		{"outputTailBytes", "outputBytes"}:      MiB,
		{"outputFileBytes", "outputFilesBytes"}: 4 * MiB,
		{"outputFilesBytes", "outputFileBytes"}: 4 * MiB,
		{"tmpBytes", "tmpInodes"}:               32_768, // 8 times the bytes
		{"workspaceBytes", "workspaceInodes"}:   65_536, // 4 times
	}
	for _, raised := range limitRows {
		var asked Limits
		*raised.at(&asked) = *raised.at(&max)
		got := asked.Effective(Limits{}, DefaultRun)
		for _, other := range limitRows {
			want, ok := follows[[2]string{raised.name, other.name}]
			switch {
			case other.name == raised.name:
				want = *raised.at(&max)
			case !ok:
				want = *other.at(&DefaultRun)
			}
			if v := *other.at(&got); v != want {
				t.Errorf("%s is raised to its maximum: %s is %d, want %d", raised.name, other.name, v, want)
			}
		}
	}
}

// TestInForceAsked: what was asked for stays, and a language's default that is enough.
func TestInForceAsked(t *testing.T) {
	for _, tt := range []struct {
		name              string
		asked, lang, want Limits // of want, what is not zero
	}{
		{"contract 9.3, the default", Limits{}, Limits{}, Limits{CPUMs: 4000}},
		{"contract 9.3, 12 s", Limits{WallMs: 12_000}, Limits{}, Limits{CPUMs: 13_000}},
		{"contract 9.3, 100 ms", Limits{WallMs: 100}, Limits{}, Limits{CPUMs: 2000}},
		{"contract 9.3, part of a second", Limits{WallMs: 2001}, Limits{}, Limits{CPUMs: 4000}},
		{"both", Limits{WallMs: 12_000, CPUMs: 5}, Limits{}, Limits{CPUMs: 5}},
		{"four cores", Limits{WallMs: 10_000, CPUMillicores: 3_001}, Limits{}, Limits{CPUMs: 44_000}},
		{"the language's time", Limits{}, Limits{WallMs: 9000}, Limits{WallMs: 9000, CPUMs: 10_000}},
		{"the language's little CPU time", Limits{}, Limits{CPUMs: 500}, Limits{WallMs: 3000, CPUMs: 500}},
		{"the language's little CPU time, more time", Limits{WallMs: 12_000}, Limits{CPUMs: 500}, Limits{CPUMs: 13_000}},
		{"the language's much CPU time", Limits{WallMs: 2000}, Limits{CPUMs: 50_000}, Limits{CPUMs: 50_000}},
		{"a tail", Limits{OutputTailBytes: 65_537}, Limits{}, Limits{OutputBytes: 65_537}},
		{"a tail of less", Limits{OutputTailBytes: 10}, Limits{}, Limits{OutputBytes: 65_536}},
		{"less room, fewer files", Limits{TmpBytes: 16 * MiB}, Limits{}, Limits{TmpInodes: 4096}},
		{"all that there is", MaxLimits, Limits{}, MaxLimits},
	} {
		got := tt.asked.Effective(tt.lang, DefaultRun)
		for _, r := range limitRows {
			if want := *r.at(&tt.want); want != 0 && *r.at(&got) != want {
				t.Errorf("%s: %s is %d, want %d", tt.name, r.name, *r.at(&got), want)
			}
		}
		if err := got.Check("run", Limits{}, MaxLimits); err != nil {
			t.Errorf("%s: %v", tt.name, err)
		}
	}
}

// TestDefaultsAgree: the defaults are those that their own siblings bring, and within the bounds.
func TestDefaultsAgree(t *testing.T) {
	for name, l := range map[string]Limits{"run": DefaultRun, "compile": DefaultCompile} {
		if want := CPUFor(l.WallMs, l.CPUMillicores); l.CPUMs != want {
			t.Errorf("%s: cpuMs is %d, want %d", name, l.CPUMs, want)
		}
		if err := l.Check(name, Limits{}, MaxLimits); err != nil {
			t.Error(err)
		}
	}
	if want := CPUFor(MaxLimits.WallMs, MaxLimits.CPUMillicores); MaxLimits.CPUMs < want {
		t.Errorf("at most %d ms of CPU time, but the longest step on the most cores may use %d", MaxLimits.CPUMs, want)
	}
}
