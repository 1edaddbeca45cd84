// SPDX-License-Identifier: Apache-2.0

package job

import "testing"

// Each limit may be as large as the largest and as small as the smallest that is allowed, and no further.
func TestLimitsAtTheirBounds(t *testing.T) {
	for _, r := range limitRows {
		lowest, highest := *r.at(&MinLimits), *r.at(&MaxLimits)
		for _, tt := range []struct {
			value int64
			ok    bool
		}{{0, true}, {-1, false}, {lowest - 1, lowest == 1}, {lowest, true}, {highest, true}, {highest + 1, false}} { // 0 is: not set
			var l Limits
			*r.at(&l) = tt.value
			if err := l.Check("run", Limits{}, MaxLimits); (err == nil) != tt.ok {
				t.Errorf("%s = %d (allowed are %d to %d): %v", r.name, tt.value, lowest, highest, err)
			}
		}
	}
}

// The bounds are promised in api/openapi.yaml and daemon/PROTOCOL.md: a change is one of the contract.
func TestBoundsOfASpec(t *testing.T) {
	for name, tt := range map[string]struct{ got, want int }{
		"source": {MaxSourceBytes, 1_000_000}, "stdin": {MaxStdinBytes, 1_000_000}, "files": {MaxFiles, 64}, "bytes of files": {MaxFileBytes, 1_000_000},
		"bytes of a name": {MaxNameBytes, 255}, "depth of a name": {MaxNameDepth, 8}, "arguments": {MaxArgs, 256}, "environment": {MaxEnv, 64},
		"bytes of arguments and environment": {MaxArgBytes, 32_768}, "bytes of an id": {MaxIDBytes, 128},
	} {
		if tt.got != tt.want {
			t.Errorf("%s: %d, want %d", name, tt.got, tt.want)
		}
	}
}
