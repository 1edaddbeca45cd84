// SPDX-License-Identifier: Apache-2.0

package daemon

import (
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/ccee-dev/ccee/job"
)

const (
	ndjson = "application/x-ndjson"

	// writeWait is how long one write may block on a caller that doesn't read. While it blocks, so does the job.
	writeWait = 10 * time.Second
)

// answer is the response to a job's caller: every event as a line of NDJSON, or the result alone.
type answer struct {
	w      http.ResponseWriter
	ctl    *http.ResponseController
	stream bool
	begun  bool // the status line is sent
}

func newAnswer(w http.ResponseWriter, r *http.Request) *answer {
	return &answer{w: w, ctl: http.NewResponseController(w), stream: strings.Contains(r.Header.Get("Accept"), ndjson)}
}

// event sends ev at once, if the caller asked for it. An error means that the caller disconnected.
func (a *answer) event(ev job.Event) error {
	switch {
	case a.stream:
		return a.line(ev)
	case ev.Type == job.EventResult:
		a.begun = true
		return a.write(func() error { return writeJSON(a.w, http.StatusOK, ev.Result) })
	}
	return nil
}

// fail ends the answer with err: as an HTTP status, or as the last event of a stream that has begun.
func (a *answer) fail(err error) error {
	wire := onWire(err)
	switch {
	case a.begun && !a.stream:
		return nil
	case a.begun:
		return a.line(job.Event{Type: job.EventError, Error: wire})
	}
	return a.write(func() error { return writeError(a.w, wire) })
}

// line sends ev as a line of the stream.
func (a *answer) line(ev job.Event) error {
	if !a.begun {
		a.begun = true
		a.w.Header().Set("Content-Type", ndjson)
		a.w.WriteHeader(http.StatusOK)
	}
	return a.write(func() error { return encode(a.w, ev) })
}

// write calls do, which writes once, under the deadline, and flushes.
func (a *answer) write(do func() error) error {
	if err := a.ctl.SetWriteDeadline(time.Now().Add(writeWait)); err != nil {
		return err
	}
	if err := do(); err != nil {
		return err
	}
	if err := a.ctl.Flush(); err != nil {
		return err
	}
	return a.ctl.SetWriteDeadline(time.Time{}) // the connection may serve other requests
}

// encode writes v as a line of JSON.
func encode(w http.ResponseWriter, v any) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	return e.Encode(v)
}

// writeJSON answers in one piece. It sets the length, which net/http would not know before a Flush.
func writeJSON(w http.ResponseWriter, status int, v any) error {
	b, err := json.Marshal(v)
	if err != nil {
		return err
	}
	b = append(b, '\n')
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Length", strconv.Itoa(len(b)))
	w.WriteHeader(status)
	_, err = w.Write(b)
	return err
}

// statuses are the HTTP statuses of the codes. 499 is nginx's status for a caller that cancelled the request.
var statuses = map[job.Code]int{
	job.EInvalid:     http.StatusBadRequest,
	job.ETooLarge:    http.StatusRequestEntityTooLarge,
	job.ENotFound:    http.StatusNotFound,
	job.EConflict:    http.StatusConflict,
	job.EForbidden:   http.StatusForbidden,
	job.EBusy:        http.StatusServiceUnavailable,
	job.EUnavailable: http.StatusServiceUnavailable,
	job.ECancelled:   499,
	job.EInternal:    http.StatusInternalServerError,
}

// onWire is err as the caller may see it: the cause of a fault of ours is only for the log.
func onWire(err error) *job.Error {
	var e *job.Error
	if errors.As(err, &e) {
		return e
	}
	return job.Errorf(job.EInternal, "the daemon could not run the job: its log says why")
}

// writeError answers with an error.
func writeError(w http.ResponseWriter, e *job.Error) error {
	switch e.Code {
	case job.EBusy:
		w.Header().Set("Retry-After", "1")
	case job.EUnavailable:
		w.Header().Set("Retry-After", "1")
		w.Header().Set("Connection", "close") // this daemon may be about to end; the next connection finds its successor
	case job.ETooLarge, job.EForbidden:
		w.Header().Set("Connection", "close") // instead of reading the rest of the body
	}
	return writeJSON(w, statuses[e.Code], map[string]*job.Error{"error": e})
}
