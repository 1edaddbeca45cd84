// SPDX-License-Identifier: Apache-2.0

package daemon

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/iotest"
	"testing/synctest"
	"time"

	"golang.org/x/sync/semaphore"

	"github.com/ccee-dev/ccee/job"
)

func TestReadBody(t *testing.T) {
	for _, tt := range []struct {
		name   string
		body   io.Reader
		length int64 // as the caller gives it; -1: chunked
		size   int   // of what is read
		code   job.Code
	}{
		{"none", http.NoBody, 0, 0, ""},
		{"small", strings.NewReader("abc"), 3, 3, ""},
		{"chunked", strings.NewReader("abc"), -1, 3, ""},
		{"the largest", strings.NewReader(strings.Repeat("x", maxBody)), maxBody, maxBody, ""},
		{"the largest, chunked", strings.NewReader(strings.Repeat("x", maxBody)), -1, maxBody, ""},
		{"too large, chunked", strings.NewReader(strings.Repeat("x", maxBody+1)), -1, 0, job.ETooLarge},
		{"ends early", iotest.ErrReader(io.ErrUnexpectedEOF), 3, 0, job.EInvalid},
	} {
		r := httptest.NewRequest("POST", "/v1/run", tt.body)
		size := tt.length
		if size < 0 {
			size = maxBody
		}
		b, err := readBody(httptest.NewRecorder(), r, size)
		if len(b) != tt.size || job.ErrorCode(err) != tt.code {
			t.Errorf("%s: %d bytes, %v, want %d bytes, code %q", tt.name, len(b), err, tt.size, tt.code)
		}
		if tt.code == "" && int64(cap(b)) > size+1024 {
			t.Errorf("%s: %d bytes take %d", tt.name, len(b), cap(b))
		}
	}
}

// Bodies beyond the bound wait, and are refused when none of those before them is done in time; small ones always come in.
func TestBodiesAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		bodies := semaphore.NewWeighted(maxBodies)
		var held []func()
		for range maxBodies / maxBody {
			release, err := reserve(t.Context(), bodies, maxBody)
			if err != nil {
				t.Fatal(err)
			}
			held = append(held, release)
		}
		if _, err := reserve(t.Context(), bodies, smallBody); err != nil {
			t.Errorf("a small body: %v", err)
		}
		began := time.Now()
		if _, err := reserve(t.Context(), bodies, maxBody); job.ErrorCode(err) != job.EBusy || time.Since(began) != roomWait {
			t.Errorf("one too many: %v after %v, want EBusy after %v", err, time.Since(began), roomWait)
		}
		gone, leave := context.WithCancel(t.Context())
		leave()
		if _, err := reserve(gone, bodies, maxBody); job.ErrorCode(err) != job.ECancelled {
			t.Errorf("a caller that left: %v, want ECancelled", err)
		}
		time.AfterFunc(roomWait/2, held[0])
		if _, err := reserve(t.Context(), bodies, maxBody); err != nil {
			t.Errorf("when another is done in time: %v", err)
		}
	})
}

// A request has its room until it is decoded, not while its job runs.
func TestRunningJobHoldsNoRoom(t *testing.T) {
	var s *served
	s = serve(t, 0, func(ctx context.Context, spec job.Spec, emit func(job.Event) error) (job.Result, error) {
		if !s.bodies.TryAcquire(maxBodies) {
			return job.Result{}, job.Errorf(job.EConflict, "the body still has its room")
		}
		s.bodies.Release(maxBodies)
		return prints(ctx, spec, emit)
	})
	for _, source := range []int{1, 2 * smallBody, job.MaxSourceBytes} {
		body := `{"id":"j1","language":"python","sourceCode":"` + strings.Repeat("x", source) + `"}`
		if resp, answer := s.ask(t, "POST", "/v1/run", body, "*/*"); resp.StatusCode != 200 {
			t.Errorf("a source of %d bytes: HTTP %d %s", source, resp.StatusCode, answer)
		}
	}
}

// Where there is no room a large request is turned away with 503, and a small one is not.
func TestNoRoomOnTheWire(t *testing.T) {
	s := serve(t, 0, prints)
	if !s.bodies.TryAcquire(maxBodies) {
		t.Fatal("room is taken at the start")
	}
	if resp, answer := s.ask(t, "POST", "/v1/run", specBody, "*/*"); resp.StatusCode != 200 {
		t.Errorf("a small request: HTTP %d %s", resp.StatusCode, answer)
	}
	large := strings.Replace(specBody, `"x"`, `"`+strings.Repeat("x", 2*smallBody)+`"`, 1)
	resp, answer := s.ask(t, "POST", "/v1/run", large, "*/*")
	if resp.StatusCode != 503 || resp.Header.Get("Retry-After") == "" || !strings.Contains(answer, `"code":"busy"`) {
		t.Errorf("a large request: HTTP %d %s, Retry-After %q, want 503 busy", resp.StatusCode, answer, resp.Header.Get("Retry-After"))
	}
	s.bodies.Release(maxBodies)
}

// A member that means nothing here is named in the answer, so that a misspelt limit is seen. Its name can't forge a header.
func TestIgnoredOnTheWire(t *testing.T) {
	s := serve(t, 0, prints)
	for member, want := range map[string]string{
		`"run":{"wallMs":1000}`: "", `"run":{"wallms_":1000}`: "wallms_", `"x\r\nRetry-After: 1":1`: `x\r\nRetry-After: 1`,
		`"` + strings.Repeat("é", 60) + `":1`: strings.Repeat(`\u00e9`, 32),
	} {
		resp, answer := s.ask(t, "POST", "/v1/run", `{"id":"j","language":"python","sourceCode":"x",`+member+`}`, "*/*")
		if got := resp.Header.Get("Ccee-Ignored"); resp.StatusCode != 200 || got != want || resp.Header.Get("Retry-After") != "" {
			t.Errorf("%s: HTTP %d, ignored %q, want %q: %s", member, resp.StatusCode, got, want, answer)
		}
	}
}

// A body that says that it is too large is refused before a byte of it is read, and takes no room; the largest one that is allowed is read.
func TestTooLargeIsRefusedUnread(t *testing.T) {
	for length, code := range map[int64]job.Code{maxBody + 1: job.ETooLarge, maxBody: job.EInvalid} {
		s := &Server{bodies: semaphore.NewWeighted(maxBodies)}
		read := false
		body := io.MultiReader(readerFunc(func([]byte) (int, error) { read = true; return 0, io.EOF }))
		r := httptest.NewRequest("POST", "/v1/run", body)
		r.ContentLength = length
		_, err := s.readSpec(deadlines{httptest.NewRecorder()}, r)
		if job.ErrorCode(err) != code || read != (code != job.ETooLarge) {
			t.Errorf("%d bytes: %v, read: %v; want code %s", length, err, read, code)
		}
		if !s.bodies.TryAcquire(maxBodies) {
			t.Errorf("%d bytes: its room is not given back", length)
		}
	}
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(b []byte) (int, error) { return f(b) }

// deadlines is a response whose connection has deadlines.
type deadlines struct{ *httptest.ResponseRecorder }

func (deadlines) SetReadDeadline(time.Time) error { return nil }
