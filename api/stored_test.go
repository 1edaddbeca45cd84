// SPDX-License-Identifier: Apache-2.0

package api

import (
	"fmt"
	"math/rand"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"github.com/ccee-dev/ccee/e2e/redistest"
	"github.com/ccee-dev/ccee/job"
)

// random is output of n bytes that can't be compressed.
func random(n int) string {
	b := make([]byte, n)
	rand.New(rand.NewSource(1)).Read(b)
	return string(b)
}

// A tenant whose jobs have stored too much is told what to do, on every route that submits; its results are stored all the same, its reads
// go on, and another tenant is not concerned.
func TestStoredQuota(t *testing.T) {
	s := newStack(t, func(o *Options) { o.MaxStoredBytes = job.MiB })
	first := s.submit(helloPython)
	last := s.submit(helloPython)
	for range 2 { // the second goes beyond the quota
		if err := complete(claim(t, s.queue), exited(0, random(700_000))); err != nil {
			t.Fatal(err)
		}
	}
	if a := s.get("/v1/jobs/" + last); a.at("status") != "succeeded" {
		t.Errorf("the result beyond the quota: %d %s", a.status, a.raw)
	}

	a := s.post("/v1/jobs", helloPython)
	stored := int64(a.at("usage", "storedBytes").(float64))
	wait, err := strconv.Atoi(a.header.Get("Retry-After"))
	if err != nil || wait < 86_000 || wait > 86_401 {
		t.Errorf("retry-after %q, want that some is deleted in a day", a.header.Get("Retry-After"))
	}
	if stored < 1_400_000 || stored > 1_600_000 {
		t.Errorf("%d bytes are stored, want those of two outputs of 700,000 bytes and a little", stored)
	}
	a.want(t, 429, fmt.Sprintf(`{"error":"quota_exceeded","traceId":"test-trace","reason":"max_stored_bytes",
		"message":"what is stored of your jobs takes %d of 1048576 bytes: delete jobs that you don't need any more (DELETE /v1/jobs/{jobId}/data), or wait: some is deleted by itself in %d s",
		"limits":{"maxConcurrentJobs":1000,"maxDailyJobs":1000,"maxStoredBytes":1048576},
		"usage":{"activeJobs":0,"dailyJobs":2,"storedBytes":%d}}`, stored, wait, stored))
	if a := s.get("/v1/quotas"); a.at("usage", "storedBytes") != float64(stored) || a.at("limits", "maxStoredBytes") != 1048576.0 {
		t.Errorf("quotas %s", a.raw)
	}
	if a := s.post("/v1/jobs/"+first+"/rerun", ""); a.status != 429 || a.at("reason") != "max_stored_bytes" {
		t.Errorf("rerun: %d %s", a.status, a.raw)
	}
	if a := s.post("/v1/batch", `{"jobs":[`+helloPython+`]}`); a.at("refused") != 1.0 || !strings.Contains(a.raw, `"statusCode":429,"error":"quota_exceeded","reason":"max_stored_bytes"`) {
		t.Errorf("batch: %d %s", a.status, a.raw)
	}
	if a := s.do("POST", "/v1/jobs", helloPython, http.Header{"X-Api-Key": {"tight-key"}}); a.status != 202 {
		t.Errorf("another tenant: %d %s", a.status, a.raw)
	}
	if a := s.do("DELETE", "/v1/jobs/"+first+"/data", "", nil); a.status != 200 {
		t.Fatalf("delete: %d %s", a.status, a.raw)
	}
	s.submit(helloPython)
}

// ownRedis gives the test a Redis of its own.
func ownRedis(t *testing.T) *redistest.Server {
	t.Helper()
	before := shared
	t.Cleanup(func() { shared = before })
	shared = redistest.New(t)
	return shared
}

// With a Redis that has no memory left everything can be read, what runs ends, jobs can be deleted, and further ones are refused with the
// reason.
func TestRedisIsFull(t *testing.T) {
	r := ownRedis(t)
	s := newStack(t, nil)
	done, running := s.submit(helloPython), ""
	if err := complete(claim(t, s.queue), exited(0, "hello\n")); err != nil {
		t.Fatal(err)
	}
	running = s.submit(helloPython)
	l := claim(t, s.queue)
	r.Do(t, "CONFIG", "SET", "maxmemory", "1")
	for range 2 { // by what Redis says to the submission, and by what it has said of its memory
		a := s.post("/v1/jobs", helloPython)
		a.want(t, 503, `{"error":"submission_unavailable","reason":"storage_full","traceId":"test-trace"}`)
		if a.header.Get("Retry-After") != "30" {
			t.Errorf("retry-after %q", a.header.Get("Retry-After"))
		}
	}
	if a := s.post("/v1/batch", `{"jobs":[`+helloPython+`]}`); !strings.Contains(a.raw, `"statusCode":503,"error":"submission_unavailable","reason":"storage_full"`) {
		t.Errorf("batch: %d %s", a.status, a.raw)
	}
	used := func(a answer) int {
		n, _ := strconv.Atoi(a.header.Get("X-Ratelimit-Remaining"))
		return n
	}
	first := used(s.get("/v1/jobs/" + done))
	for _, target := range []string{"/v1/jobs/" + done, "/executions/" + done, "/executions/" + done + "/logs", "/v1/jobs/" + running,
		"/v1/jobs", "/v1/jobs?view=summary", "/v1/quotas", "/v1/costs", "/v1/audit", "/v1/runtimes", "/ready", "/health/summary"} {
		if a := s.get(target); a.status != 200 {
			t.Errorf("%s: %d %s", target, a.status, a.raw)
		}
	}
	if last := used(s.get("/v1/jobs/" + done)); first-last != 10 {
		t.Errorf("%d of 10 requests were counted", first-last)
	}
	if err := complete(l, exited(0, random(job.MiB))); err != nil {
		t.Errorf("complete: %v", err)
	}
	if a := s.get("/v1/jobs/" + running); a.at("status") != "succeeded" {
		t.Errorf("the job that ran: %s", a.at("status"))
	}
	if a := s.do("DELETE", "/v1/jobs/"+running+"/data", "", nil); a.status != 200 {
		t.Errorf("delete: %d %s", a.status, a.raw)
	}
}
