// SPDX-License-Identifier: Apache-2.0

package api

import (
	"encoding/json"
	"testing"

	"github.com/ccee-dev/ccee/api/view"
	"github.com/ccee-dev/ccee/job"
)

// tested is a result with three tests: one passed, one did not, one was left out.
func tested() job.Result {
	r := exited(0, "4\n")
	run := r.Steps[0]
	r.Steps, r.Status, r.Verdict = nil, job.Failed, job.WrongAnswer
	r.Tests = &job.TestResults{Total: 3, Passed: 1, List: []job.TestResult{
		{Name: "good", Verdict: job.Accepted, Run: &run}, {Verdict: job.WrongAnswer, Message: "line 1", Run: &run}, {Verdict: job.NotRun},
	}}
	return r
}

func TestTestsShown(t *testing.T) {
	s := newStack(t, nil)
	id := s.submit(`{"language":"python","sourceCode":"x","tests":[{"name":"good"},{},{}]}`)
	if err := complete(claim(t, s.queue), tested()); err != nil {
		t.Fatal(err)
	}
	var got struct {
		Status string
		Result struct {
			Verdict string
			Run     *view.Step
			Tests   view.Tests
		}
	}
	unmarshal(t, s.get("/v1/jobs/"+id).raw, &got)
	tests := got.Result.Tests
	if got.Status != "failed" || got.Result.Verdict != "wrong_answer" || got.Result.Run != nil || tests.Total != 3 || tests.Passed != 1 || len(tests.Items) != 3 {
		t.Fatalf("%+v", got)
	}
	for i, want := range []view.Test{
		{Number: 1, Name: "good", Passed: true, Verdict: job.Accepted}, {Number: 2, Verdict: job.WrongAnswer, Message: "line 1"}, {Number: 3, Verdict: job.NotRun},
	} {
		item := tests.Items[i]
		if ran := item.Run != nil; ran != (i < 2) || ran && item.Run.Stdout != "4\n" {
			t.Errorf("run of test %d: %+v", i+1, item.Run)
		}
		if item.Run = nil; item != want {
			t.Errorf("test %d: %+v, want %+v", i+1, item, want)
		}
	}
	// A summary has the numbers alone.
	var list struct {
		Items []struct{ Result struct{ Tests view.Tests } }
	}
	unmarshal(t, s.get("/v1/jobs?view=summary").raw, &list)
	if r := list.Items[0].Result.Tests; r.Passed != 1 || r.Total != 3 || r.Items != nil {
		t.Errorf("in a summary: %+v", r)
	}
}

func unmarshal(t *testing.T, raw string, into any) {
	t.Helper()
	if err := json.Unmarshal([]byte(raw), into); err != nil {
		t.Fatal(err)
	}
}

// Tests are told when they end, and each once, however often the stream breaks.
func TestTestEvents(t *testing.T) {
	s := newStack(t, nil)
	url := openOn(t, s)
	id := s.submit(`{"language":"python","sourceCode":"x","tests":[{},{},{}]}`)
	lease := claim(t, s.queue)
	emit(t, lease, job.Event{Type: job.EventTest, Test: 1, Verdict: job.Accepted}, job.Event{Type: job.EventTest, Test: 3, Verdict: job.NotRun})
	l := listen(t, url, id, nil)
	if d := l.want("test"); d["number"] != 1.0 || d["passed"] != true || d["verdict"] != "accepted" || d["attempt"] != 1.0 {
		t.Errorf("test %v", d)
	}
	cut := l.last
	l.resp.Body.Close()
	if err := complete(lease, tested()); err != nil {
		t.Fatal(err)
	}
	again := listen(t, url, id, map[string][]string{"Last-Event-Id": {cut}})
	if d := again.want("test"); d["number"] != 2.0 || d["passed"] != false || d["message"] != "line 1" {
		t.Errorf("test %v", d)
	}
	if d := again.want("test"); d["number"] != 3.0 || d["verdict"] != "skipped" {
		t.Errorf("test %v", d)
	}
	again.want("job")
	again.want("done")
}
