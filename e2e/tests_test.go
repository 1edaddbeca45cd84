// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"encoding/json"
	"strings"
	"testing"
)

// A program with tests goes through api, queue, worker and daemon: compiled once, run for each.
func TestJobTests(t *testing.T) {
	s := sharedUp(t)
	status, raw, err := s.request("POST", "/v1/jobs?waitMs=30000", key, body{
		"language":   "java",
		"sourceCode": "class Main { public static void main(String[] a) { int n = new java.util.Scanner(System.in).nextInt(); System.out.println(100.0 / n); if (n == 0) System.exit(3); } }",
		"tests": []body{
			{"name": "whole", "stdin": "4", "expectedOutput": "25"}, {"name": "third", "stdin": "3", "expectedOutput": "33.3333"},
			{"name": "zero", "stdin": "0", "expectedOutput": "Infinity", "exitCode": 3}, {"name": "wrong", "stdin": "2", "expectedOutput": "49"}, {"name": "left out"},
		},
		"compare": body{"mode": "floats", "absTolerance": 0.001}, "stopOnFailure": true, "run": body{"cpuMillicores": 1000},
	})
	if err != nil || status != 200 {
		t.Fatalf("%d %s, %v", status, raw, err)
	}
	var got struct {
		Status string
		Result struct {
			Verdict string
			Compile struct{ Verdict string }
			Tests   struct {
				Passed int
				Items  []struct{ Name, Verdict, Message string }
			}
		}
	}
	if err := json.Unmarshal(raw, &got); err != nil {
		t.Fatal(err)
	}
	var verdicts strings.Builder
	for _, item := range got.Result.Tests.Items {
		verdicts.WriteString(item.Name + " " + item.Verdict + ", ")
	}
	if got.Status != "failed" || got.Result.Verdict != "wrong_answer" || got.Result.Compile.Verdict != "exited" || got.Result.Tests.Passed != 3 ||
		verdicts.String() != "whole accepted, third accepted, zero accepted, wrong wrong_answer, left out skipped, " {
		t.Errorf("%s: %s", verdicts.String(), raw)
	}
}
