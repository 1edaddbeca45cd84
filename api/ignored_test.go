// SPDX-License-Identifier: Apache-2.0

package api

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ccee-dev/ccee/api/decode"
	"github.com/ccee-dev/ccee/job"
)

// What is known of a submission is what openapi.yaml describes.
func TestSubmissionMembersAreDescribed(t *testing.T) {
	described := slices.Sorted(maps.Keys(requireContract(t).Components.Schemas["Submission"].Value.Properties))
	if diff := cmp.Diff(described, slices.Sorted(slices.Values(decode.SubmissionMembers))); diff != "" {
		t.Errorf("members (-openapi.yaml +decode.SubmissionMembers):\n%s", diff)
	}
}

// A member that means nothing is ignored, as the contract says, and the answer names it; who wants it refused says so.
func TestIgnoredMembers(t *testing.T) {
	s := newStack(t, nil)
	const slips = `{"language":"python","sourceCode":"print(1)","timeoutms":5,"memory":64,"limits":{"memoryMb":32},"Language":"java"}`
	const refusal = `{"error":"validation_error","traceId":"test-trace","issues":{"formErrors":["Unrecognized key(s) in object: ` +
		`'Language', 'limits', 'memory', 'timeoutms'"],"fieldErrors":{}}}`
	for path, want := range map[string]int{"/v1/jobs": http.StatusAccepted, "/executions": http.StatusAccepted, "/v1/jobs?strict=0": http.StatusAccepted} {
		a := s.post(path, slips)
		if got := fmt.Sprint(a.at("ignored")); a.status != want || got != "[Language limits memory timeoutms]" {
			t.Errorf("%s: %d %s", path, a.status, a.raw)
		}
	}
	consume(t, s.queue, func(job.Spec) job.Result { return exited(0, "1\n") })
	if a := s.post("/v1/jobs?waitMs=30000", slips); a.status != http.StatusOK || fmt.Sprint(a.at("ignored")) != "[Language limits memory timeoutms]" {
		t.Errorf("with a result: %d %s", a.status, a.raw)
	}
	for _, path := range []string{"/v1/jobs?strict=1", "/executions?strict=1"} {
		s.post(path, slips).want(t, http.StatusBadRequest, refusal)
		if a := s.post(path, helloPython); a.status != http.StatusAccepted || a.at("ignored") != nil {
			t.Errorf("%s without a slip: %d %s", path, a.status, a.raw)
		}
	}
	s.post("/v1/batch?strict=1", `{"jobs":[`+helloPython+`,`+slips+`]}`).want(t, http.StatusBadRequest, `{"error":"validation_error","traceId":"test-trace",
		"issues":{"formErrors":[],"fieldErrors":{"jobs":["[1]: Unrecognized key(s) in object: 'Language', 'limits', 'memory', 'timeoutms'"]}}}`)
	a := s.post("/v1/batch", `{"jobs":[`+helloPython+`,`+slips+`]}`)
	if items, _ := a.at("items").([]any); len(items) != 2 || items[0].(map[string]any)["ignored"] != nil ||
		fmt.Sprint(items[1].(map[string]any)["ignored"]) != "[Language limits memory timeoutms]" {
		t.Errorf("batch: %d %s", a.status, a.raw)
	}
	if a := s.post("/v1/jobs?strict=yes", helloPython); a.status != http.StatusBadRequest {
		t.Errorf("strict=yes: %d %s", a.status, a.raw)
	}
}

// What is echoed of names that a client chose is bounded.
func TestIgnoredIsBounded(t *testing.T) {
	var body strings.Builder
	body.WriteString(`{"language":"python","sourceCode":"x"`)
	for i := range 1000 {
		fmt.Fprintf(&body, `,"%03d%s":1`, i, strings.Repeat("é", 40))
	}
	body.WriteString("}")
	s := newStack(t, nil)
	a := s.post("/v1/jobs", body.String())
	ignored, _ := a.at("ignored").([]any)
	if a.status != http.StatusAccepted || len(ignored) != 20 {
		t.Fatalf("%d, %d names", a.status, len(ignored))
	}
	if want := "000" + strings.Repeat("é", 30) + "..."; ignored[0] != want {
		t.Errorf("%q, want %q", ignored[0], want)
	}
}
