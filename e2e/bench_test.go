// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"encoding/json"
	"strings"
	"testing"
)

// TestBench: ccee bench runs real jobs and counts them.
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
		"must be a list": {"--clients", "1,x"}, "must be above 0": {"--for", "0s"}, "no such file": {"none.py"}, "the benchmark program failed: failed (exited)": {file(t, "a.py", "raise SystemExit(3)")},
	} {
		if got := ccee(t, "", env, append([]string{"bench"}, args...)...); got.code == 0 || !strings.Contains(got.stderr, want) {
			t.Errorf("%v: %+v, want %q", args, got, want)
		}
	}
}

// TestCapacity: a host is profiled, and a load is simulated on such hosts and replayed with real jobs.
func TestCapacity(t *testing.T) {
	s := sharedUp(t)
	env := []string{"CCEE_SOCKET=" + s.socket()}
	got := ccee(t, "", env, "bench", "profile", "-l", "python", "--jobs", "3", "--for", "500ms")
	if got.code != 0 || !strings.Contains(got.stdout, `"language": "python"`) || !strings.Contains(got.stderr, "python: many at once") {
		t.Fatalf("%+v", got)
	}
	profile := file(t, "host.json", got.stdout)
	load := []string{"--rate", "10", "--mix", "python", "--for", "3s", "--json"}
	var replayed, simulated struct {
		Jobs, Hosts, Refused       int
		Warm, USDPerHour           float64
		TimeMs, WaitMs             struct{ P50, P99, P999 float64 }
		Languages                  []struct{ Language string }
		Utilisation, USDPerMillion float64
	}
	for into, args := range map[any][]string{&replayed: {"bench", "replay"}, &simulated: {"bench", "simulate", "--profile", profile}} {
		got := ccee(t, "", env, append(args, load...)...)
		if err := json.Unmarshal([]byte(got.stdout), into); err != nil || got.code != 0 {
			t.Fatalf("%v: %+v, %v", args, got, err)
		}
	}
	if replayed.Jobs != simulated.Jobs || replayed.Jobs < 10 || replayed.Refused != 0 || replayed.TimeMs.P50 <= 0 || len(replayed.Languages) != 1 {
		t.Errorf("for real: %+v", replayed)
	}
	if simulated.Hosts != 1 || simulated.TimeMs.P50 <= 0 || simulated.TimeMs.P99 < simulated.TimeMs.P50 || simulated.Utilisation <= 0 || simulated.USDPerHour <= 0 || simulated.USDPerMillion <= 0 {
		t.Errorf("simulated: %+v", simulated)
	}
	trace := file(t, "trace.csv", strings.Repeat("0,python\n", 50)+"1,python\n")
	if got := ccee(t, "", nil, "bench", "simulate", "--profile", profile, "--trace", trace, "--hosts", "2"); got.code != 0 ||
		!strings.Contains(got.stdout, "\nhosts  2, of ") || !strings.Contains(got.stdout, "\ncost   $") {
		t.Errorf("%+v", got)
	}
	bad := file(t, "bad.json", `{"cores": 2, "languages": []}`)
	for want, args := range map[string][]string{
		"flag \"profile\" not set":  {"simulate"},
		"is not the output of":      {"simulate", "--profile", trace},
		"0 languages":               {"simulate", "--profile", bad},
		`no language "ruby"`:        {"simulate", "--profile", profile, "--mix", "ruby"},
		"must be above 0":           {"simulate", "--profile", profile, "--rate", "0"},
		"is not a mix":              {"replay", "--mix", "python="},
		"has its own rate":          {"replay", "--trace", trace, "--rate", "3"},
		"line 1":                    {"simulate", "--profile", profile, "--trace", bad},
		"--wait-ms must be above 0": {"simulate", "--profile", profile, "--wait-ms", "0"},
		"set a shorter --for":       {"replay", "--rate", "1000000"},
		"no program to run":         {"replay", "--mix", "cobol"},
		"no program to measure":     {"profile", "-l", "cobol"},
		"hosts are too few":         {"simulate", "--profile", profile, "--time-ms", "0.001", "--for", "1s", "--mix", "python"},
	} {
		if got := ccee(t, "", env, append([]string{"bench"}, args...)...); got.code == 0 || !strings.Contains(got.stderr, want) {
			t.Errorf("%v: %+v, want %q", args, got, want)
		}
	}
}
