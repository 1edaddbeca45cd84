// SPDX-License-Identifier: Apache-2.0

package ccee

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// shell runs a script as the scripts in .ci run theirs.
func shell(t *testing.T, env []string, script string) string {
	t.Helper()
	cmd := exec.Command("sh", "-uc", script)
	cmd.Env = append(env, "PATH="+os.Getenv("PATH"))
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return strings.TrimSpace(string(out))
}

// A machine that is six times slower gets six times the time, but none that .ci/run does not have any more.
func TestBudget(t *testing.T) {
	for _, tt := range []struct{ env, want string }{
		{"SANDBOX_SLOWNESS=1", "100"}, {"SANDBOX_SLOWNESS=6", "600"}, {"SANDBOX_SLOWNESS=60", "6000"},
		{"SANDBOX_SLOWNESS=6 CI_END=$(($(date +%s) + 9000))", "600"}, {"SANDBOX_SLOWNESS=6 CI_END=$(($(date +%s) - 5))", "1"},
	} {
		if got := shell(t, nil, tt.env+"; . .ci/cost; budget 100"); got != tt.want {
			t.Errorf("%s: %s s for 100, want %s", tt.env, got, tt.want)
		}
	}
}

// What the machine costs is measured: more work in the same step is a slower machine.
func TestCost(t *testing.T) {
	program := filepath.Join(t.TempDir(), "cost")
	shell(t, nil, ". .ci/cost; compile_cost "+program)
	said := shell(t, nil, ". .ci/cost; measure "+program)
	m := regexp.MustCompile(`^fork \+ exec \+ wait (\d+) us, page fault (\d+\.\d\d) us, a million steps (\d+) us: slowness (\d+), time limits times (\d+)$`).FindStringSubmatch(said)
	if m == nil {
		t.Fatalf("it says %q", said)
	}
	fork, _ := strconv.ParseFloat(m[1], 64)
	fault, _ := strconv.ParseFloat(m[2], 64)
	steps, _ := strconv.ParseFloat(m[3], 64)
	slowness, _ := strconv.ParseFloat(m[4], 64)
	if worst := max(fork/600, fault/1, steps/1100); slowness < max(1, worst-0.6) || slowness > max(1, worst+0.6) || m[4] != m[5] {
		t.Errorf("%q: the slowness is %v, want about %v", said, slowness, worst)
	}
	if said := shell(t, []string{"SANDBOX_SLOWNESS=7"}, ". .ci/cost; measure "+program); !strings.HasSuffix(said, ", time limits times 7") {
		t.Errorf("with SANDBOX_SLOWNESS=7 it says %q", said)
	}
}

// fakeTests is a test binary as .ci/parts sees it. One of its tests may hang, one may not run though it is listed.
const fakeTests = `#!/bin/sh
[ "$1" != -test.list ] || { printf 'TestA\nTestB\nTestC\nTestLeftOut\nTestD\nBenchmarkX\nok\n'; exit; }
while [ "$1" != -test.run ]; do shift; done
for test in TestA TestB TestC TestLeftOut TestD; do
  echo $test | grep -qE "$2" || continue
  [ $test != "$FORGOTTEN" ] || continue
  echo "=== RUN   $test"
  [ $test != "$HANGS" ] || exec sleep 100
  echo "--- PASS: $test (1.50s)"
done
`

// However many parts there are, each test is in one of them, and what does not end is named.
func TestParts(t *testing.T) {
	for _, tt := range []struct {
		name, hangs, forgotten string
		parts                  int
		want                   string
	}{
		{"one", "", "", 1, "TestA TestB TestC TestD: ok pkg 1/1 of 1s, TestD alone took 1.50s\n"},
		{"three", "", "", 3, "TestA TestD: ok pkg 1/3 of 1s, TestD alone took 1.50s\nTestB: ok pkg 2/3 of 1s, TestB alone took 1.50s\nTestC: ok pkg 3/3 of 1s, TestC alone took 1.50s\n"},
		{"hangs", "TestC", "", 2, "TestA TestC: FAIL pkg 1/2 of 1s, cut off in: TestC\nTestB TestD: ok pkg 2/2 of 1s, TestD alone took 1.50s\n: FAIL pkg of 4 tests these did not end: TestC\n"},
		{"forgotten", "", "TestB", 2, "TestA TestC: ok pkg 1/2 of 1s, TestC alone took 1.50s\nTestD: ok pkg 2/2 of 1s, TestD alone took 1.50s\n: FAIL pkg of 4 tests these did not end: TestB\n"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			if err := os.WriteFile(filepath.Join(dir, "tests"), []byte(fakeTests), 0o755); err != nil {
				t.Fatal(err)
			}
			said := shell(t, []string{"HANGS=" + tt.hangs, "FORGOTTEN=" + tt.forgotten, "notes=" + dir, "deadline=1", "grace=0"},
				fmt.Sprintf(". .ci/parts; cd %s; package pkg %d . LeftOut", dir, tt.parts))
			var got strings.Builder
			var ran []string
			for line := range strings.Lines(said) {
				f := strings.Fields(line)
				switch f[0] {
				case "===":
					ran = append(ran, f[2])
				case "ok", "FAIL":
					fmt.Fprintf(&got, "%s: %s\n", strings.Join(ran, " "), regexp.MustCompile(`\b\d+s (of 1s)`).ReplaceAllString(strings.Join(f, " "), "$1"))
					ran = nil
				}
			}
			if got.String() != tt.want {
				t.Errorf("got\n%swant\n%s", got.String(), tt.want)
			}
		})
	}
}
