package e2e

import (
	"encoding/json"
	"strings"
	"testing"
)

// TestBench: ccee bench runs real jobs and says how many.
func TestBench(t *testing.T) {
	s := sharedUp(t)
	env := []string{"CCEE_SOCKET=" + s.socket()}
	got := ccee(t, "", env, "bench", "--clients", "1,2", "--for", "500ms", "--json")
	lines := strings.Split(strings.TrimSpace(got.stdout), "\n")
	if got.code != 0 || len(lines) != 2 {
		t.Fatalf("%+v", got)
	}
	for i, line := range lines {
		var step struct {
			Clients, Jobs                       int
			JobsPerSecond, P50Ms, P99Ms, P999Ms float64
			MemoryPeakBytes                     int64
		}
		if err := json.Unmarshal([]byte(line), &step); err != nil || step.Clients != i+1 || step.Jobs < 1 || step.JobsPerSecond <= 0 || step.P50Ms <= 0 ||
			step.P99Ms < step.P50Ms || step.P999Ms < step.P99Ms || step.MemoryPeakBytes < 1<<20 {
			t.Errorf("%s: %+v, %v", line, step, err)
		}
	}
	for want, args := range map[string][]string{
		"is no list": {"--clients", "1,x"}, "must be above 0": {"--for", "0s"}, "no such file": {"none.py"}, "does not do well": {file(t, "a.py", "raise SystemExit(3)")},
	} {
		if got := ccee(t, "", env, append([]string{"bench"}, args...)...); got.code == 0 || !strings.Contains(got.stderr, want) {
			t.Errorf("%v: %+v, want %q", args, got, want)
		}
	}
}
