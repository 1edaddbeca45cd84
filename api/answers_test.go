// SPDX-License-Identifier: Apache-2.0

package api

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/rs/zerolog"

	"github.com/ccee-dev/ccee/e2e/patience"
	"github.com/ccee-dev/ccee/job"
)

// printed submits n jobs that print size bytes each, and returns their ids, the newest first.
func (s *stack) printed(n, size int) (ids []string) {
	s.t.Helper()
	out := strings.Repeat("x", size)
	for range n {
		ids = append(ids, s.submit(helloPython))
		if err := complete(claim(s.t, s.queue), exited(0, out)); err != nil {
			s.t.Fatal(err)
		}
	}
	slices.Reverse(ids)
	return ids
}

// measured is a client that notes the largest answer and how much is in memory when one is written.
type measured struct {
	*httptest.ResponseRecorder
	t    *testing.T
	size *int
	heap *uint64
	mu   *sync.Mutex
}

func (m measured) Write(b []byte) (int, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	runtime.GC()
	var now runtime.MemStats
	runtime.ReadMemStats(&now)
	*m.size, *m.heap = max(*m.size, len(b)), max(*m.heap, now.HeapAlloc)
	return m.ResponseRecorder.Write(b)
}

// A history of large jobs comes in pages of bounded size, whatever its limit, whole and in order; and what it takes in memory is bounded,
// however many ask for it at once.
func TestHistoryIsBoundedInBytes(t *testing.T) {
	s := newStack(t, func(o *Options) { o.Log = zerolog.Nop() })
	want := s.printed(30, 2<<20)
	var got []string
	pages := 0
	for cursor := ""; ; pages++ {
		a := s.get("/v1/jobs?limit=100&cursor=" + cursor)
		if cursor == "" {
			a = s.get("/v1/jobs?limit=100")
		}
		if a.status != 200 || len(a.raw) > 10<<20 {
			t.Fatalf("page %d: %d, %d bytes, want less than 10 MiB", pages, a.status, len(a.raw))
		}
		for _, item := range a.at("items").([]any) {
			item := item.(map[string]any)
			got = append(got, item["jobId"].(string))
			if n := len(item["result"].(map[string]any)["stdout"].(string)); n != 2<<20 {
				t.Errorf("stdout has %d bytes", n)
			}
		}
		next, more := a.at("nextCursor").(string)
		if !more {
			break
		}
		cursor = next
	}
	if !slices.Equal(got, want) {
		t.Errorf("%d jobs in %d pages, want %d in order", len(got), pages, len(want))
	}
	var size int
	var heap uint64
	var before runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	var wg sync.WaitGroup
	var mu sync.Mutex
	answered := map[int]int{}
	for i := range 24 {
		path := []string{"/v1/jobs?limit=100", "/v1/jobs/" + want[i], "/executions/" + want[i] + "/logs", "/v1/jobs/" + want[i] + "?waitMs=1000"}[i%4]
		wg.Go(func() {
			r := httptest.NewRequestWithContext(patience.Context(t), "GET", path, nil)
			r.Header.Set("X-Api-Key", testKey)
			w := measured{httptest.NewRecorder(), t, &size, &heap, &mu}
			s.server.ServeHTTP(w, r)
			mu.Lock()
			defer mu.Unlock()
			answered[w.Code]++
		})
	}
	wg.Wait()
	// 24 answers that their clients have, and what the server works at.
	if used := int64(heap) - int64(before.HeapAlloc); used > 24*(8<<20)+answersRoom {
		t.Errorf("%d MiB were used", used>>20)
	}
	if answered[200]+answered[503] != 24 || answered[200] == 0 {
		t.Errorf("answers: %v", answered)
	}
	if s.server.answers.taken() != 0 {
		t.Errorf("%d bytes of room are taken for good", s.server.answers.taken())
	}
	t.Logf("%d pages; largest answer %d bytes, %d MiB in memory at most; answers %v", pages+1, size, (heap-before.HeapAlloc)>>20, answered)
}

// Each route that shows a job's output makes room for it first, and one tenant's large answers leave room for another's.
func TestLargeAnswersShareRoom(t *testing.T) {
	s := newStack(t, func(o *Options) { o.Log = zerolog.Nop() })
	id := s.printed(1, 1<<20)[0]
	small := s.printed(1, 1<<10)[0]
	if !s.server.answers.try("other", answersRoom) {
		t.Fatal("room is taken at the start")
	}
	full := map[string]string{
		"/v1/jobs/" + id: "GET", "/executions/" + id: "GET", "/v1/jobs/" + id + "?waitMs=100": "GET", "/executions/" + id + "/logs": "GET",
		"/v1/jobs/" + id + "/analyze": "POST", "/v1/jobs/" + id + "/events": "GET",
	}
	for path, method := range full {
		if method == "" {
			continue
		}
		if a := s.do(method, path, "", nil); a.status != http.StatusServiceUnavailable || a.at("reason") != "overloaded" || a.header.Get("Retry-After") == "" {
			t.Errorf("%s %s without room: %d %.200s, want 503", method, path, a.status, a.raw)
		}
	}
	for path, method := range map[string]string{"/v1/jobs/" + small: "GET", "/v1/jobs?view=summary": "GET", "/v1/quotas": "GET", "/v1/jobs/" + id + "/rerun": "POST"} {
		if a := s.do(method, path, "", nil); a.status/100 != 2 {
			t.Errorf("%s %s: %d %.200s, want an answer", method, path, a.status, a.raw)
		}
	}
	s.server.answers.give("other", answersRoom)
	// A tenant that holds its part gets no more, though others leave room.
	if !s.server.answers.try(s.tenant, answersRoom/4) {
		t.Fatal("no room for one tenant's part")
	}
	if a := s.get("/v1/jobs/" + id); a.status != http.StatusServiceUnavailable || a.at("reason") != "overloaded" {
		t.Errorf("beyond the tenant's part: %d %.200s, want 503", a.status, a.raw)
	}
	s.server.answers.give(s.tenant, answersRoom/4)
	for path, method := range full {
		if method == "" || strings.HasSuffix(path, "/events") {
			continue
		}
		if a := s.do(method, path, "", nil); a.status != 200 {
			t.Errorf("%s %s: %d %.200s", method, path, a.status, a.raw)
		}
	}
	if s.server.answers.taken() != 0 {
		t.Errorf("%d bytes of room are taken for good", s.server.answers.taken())
	}
}

// A job whose output is large is shown as any: nothing of what it had is left out.
func TestLargeJobIsWhole(t *testing.T) {
	s := newStack(t, nil)
	id := s.submit(helloPython)
	r := exited(0, strings.Repeat("y", 100_000))
	r.OutputFiles = &job.OutputFiles{Files: []job.File{{Name: "a", Data: bytes.Repeat([]byte{0xff}, 1<<20)}}}
	if err := complete(claim(t, s.queue), r); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{"/v1/jobs/" + id, "/v1/jobs/" + id + "?waitMs=1000", "/executions/" + id} {
		a := s.get(path)
		files, _ := a.at("result", "outputFiles", "files").([]any)
		if out, _ := a.at("result", "stdout").(string); len(out) != 100_000 || len(files) != 1 {
			t.Errorf("%s: %d bytes of output, %d files", path, len(out), len(files))
		}
	}
	item := s.get("/v1/jobs").at("items").([]any)[0].(map[string]any)
	if _, there := item["result"].(map[string]any)["outputFiles"]; there {
		t.Error("a list has output files")
	}
}

// An answer takes room for six times what is stored: as read, decoded, shown in two places, encoded and compressed.
func TestRoomOfAnAnswer(t *testing.T) {
	s := newStack(t, func(o *Options) { o.Log = zerolog.Nop() })
	id := s.printed(1, 1<<20)[0]
	rec, err := s.queue.Look(t.Context(), s.tenant, id)
	if err != nil || rec.Large == 0 {
		t.Fatalf("%d bytes are left out of a look at a large job, %v", rec.Large, err)
	}
	for missing, want := range map[int64]int{0: http.StatusOK, 1: http.StatusServiceUnavailable} {
		others := answersRoom - 6*rec.Large + missing
		if !s.server.answers.try("other", others) {
			t.Fatal("room is taken at the start")
		}
		if a := s.get("/v1/jobs/" + id); a.status != want {
			t.Errorf("with room for six times what is stored, but for %d bytes: %d, want %d", missing, a.status, want)
		}
		s.server.answers.give("other", others)
	}
}
