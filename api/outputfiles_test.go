// SPDX-License-Identifier: Apache-2.0

package api

import (
	"testing"

	"github.com/ccee-dev/ccee/job"
)

// Output files are shown with their job, in the contract's form, and not in the history.
func TestOutputFiles(t *testing.T) {
	s := newStack(t, nil)
	id := s.submit(`{"language":"python","sourceCode":"x","outputFiles":["*"]}`)
	r := exited(0, "")
	r.OutputFiles = &job.OutputFiles{
		Files:   []job.File{{Name: "a", Data: []byte("text")}, {Name: "b", Data: []byte{0xff}}},
		Skipped: []job.Skipped{{Name: "\xff", Reason: job.SkipName}},
	}
	if err := complete(claim(t, s.queue), r); err != nil {
		t.Fatal(err)
	}
	for target, content := range map[string]any{"/v1/jobs/" + id: "text", "/executions/" + id + "?encoding=base64": nil} {
		a := s.get(target)
		files, _ := a.at("result", "outputFiles", "files").([]any)
		if len(files) != 2 {
			t.Fatalf("%s: files %v, want 2", target, files)
		}
		if got := files[0].(map[string]any)["content"]; got != content {
			t.Errorf("%s: content %v, want %v", target, got, content)
		}
		if got := files[1].(map[string]any)["contentBase64"]; got != "/w==" {
			t.Errorf("%s: contentBase64 %v, want /w==", target, got)
		}
	}
	items, _ := s.get("/v1/jobs").at("items").([]any)
	if len(items) != 1 {
		t.Fatalf("history %v, want one job", items)
	}
	if files, there := items[0].(map[string]any)["result"].(map[string]any)["outputFiles"]; there {
		t.Errorf("the history has the files: %v", files)
	}
}
