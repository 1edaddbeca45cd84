// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"encoding/json"
	"strings"
	"testing"
)

// TestDoctorShared: some abuses of what the host has only once, in the binary that users have, as a table and as JSON. Whether one delays
// the host depends on its other load: here the exit code must agree with the report, not be 0.
func TestDoctorShared(t *testing.T) {
	requireHost(t)
	const refused, measured = "keyrings", "random bytes"
	got := ccee(t, "", nil, "doctor", "--shared", "--only", refused+","+measured, "--images", images(), "--json")
	var report struct {
		OK     bool
		Abuses []struct {
			Abuse, Object, Bound, Refused string
			OK                            bool
			Factors                       []struct {
				What                                           string
				MedianMs, P99Ms, ControlMedianMs, ControlP99Ms float64
				MedianFactor, P99Factor                        float64
				Harms                                          bool
			}
		}
	}
	if err := json.Unmarshal([]byte(got.stdout), &report); err != nil || len(report.Abuses) != 2 {
		t.Fatalf("%v: %+v", err, got)
	}
	first, second := report.Abuses[0], report.Abuses[1]
	if first.Abuse != refused || first.Refused == "" || !first.OK || first.Factors != nil || first.Object == "" || first.Bound == "" {
		t.Errorf("%+v, want one that the policy refuses", first)
	}
	if second.Abuse != measured || second.Refused != "" || len(second.Factors) < 6 {
		t.Errorf("%+v, want one that is measured by all that the canary does", second)
	}
	for _, f := range second.Factors {
		if f.What == "" || f.MedianMs <= 0 || f.P99Ms < f.MedianMs || f.ControlMedianMs <= 0 || f.MedianFactor <= 0 || f.P99Factor <= 0 || f.Harms && second.OK {
			t.Errorf("%+v", f)
		}
	}
	if report.OK != second.OK || got.code != map[bool]int{true: 0, false: 1}[report.OK] {
		t.Errorf("ok %v, of the abuse %v, exit code %d", report.OK, second.OK, got.code)
	}

	got = ccee(t, "", nil, "doctor", "--shared", "--only", refused, "--images", images())
	if got.code != 0 || !strings.HasPrefix(got.stdout, "held     keyrings                 refused: E") || strings.Count(got.stdout, "\n") != 1 {
		t.Errorf("as a table: %+v", got)
	}
	for want, args := range map[string][]string{
		`there is no abuse "fsink"; there are `: {"--shared", "--only", "fsink"},
		"add --shared":                          {"--only", "fsync"},
		"choose one":                            {"--shared", "--escape"},
		"--harm-median":                         {"--shared", "--harm-median", "0"},
	} {
		if got := ccee(t, "", nil, append([]string{"doctor"}, args...)...); got.code != 2 || !strings.Contains(got.stderr, want) || got.stdout != "" {
			t.Errorf("%v: %+v, want exit code 2 and %q", args, got, want)
		}
	}
}
