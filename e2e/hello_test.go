// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"encoding/json"
	"testing"
)

const javaHello = `public class Hello { public static void main(String[] a) { System.out.println("hello"); } }`

func TestHello(t *testing.T) {
	s := sharedUp(t)
	for language, source := range map[string]string{
		"python":     `print("hello")`,
		"javascript": `console.log("hello")`,
		"java":       javaHello,
	} {
		t.Run(language, func(t *testing.T) {
			j := s.run(t, body{"language": language, "sourceCode": source})
			if j.Status != "succeeded" || j.Result == nil || j.Result.Stdout != "hello\n" || j.Result.Stderr != "" {
				t.Errorf("status %s, result %+v, want succeeded with hello", j.Status, j.Result)
			}
			if j.Result != nil && (j.Result.Compile != nil) != (language == "java") {
				t.Errorf("compile step %v: only Java has one", j.Result.Compile)
			}
		})
	}
}

// TestRuntimes: everything that is in the image store is offered.
func TestRuntimes(t *testing.T) {
	s := sharedUp(t)
	status, answer, err := s.request("GET", "/v1/runtimes", "", nil)
	if err != nil || status != 200 {
		t.Fatalf("GET /v1/runtimes: %d, %v", status, err)
	}
	var list struct {
		Runtimes []struct{ Language, Version string }
	}
	if err := json.Unmarshal(answer, &list); err != nil {
		t.Fatal(err)
	}
	got := map[string]bool{}
	for _, r := range list.Runtimes {
		got[r.Language] = r.Version != ""
	}
	for _, want := range []string{"javascript", "python", "java"} {
		if !got[want] {
			t.Errorf("%s is not offered with a version: %s", want, answer)
		}
	}
}
