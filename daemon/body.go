// SPDX-License-Identifier: Apache-2.0

package daemon

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sync/semaphore"

	"github.com/ccee-dev/ccee/job"
)

const (
	// maxBody bounds a request's body in bytes: base64 and JSON escapes make the largest Spec several times as long.
	maxBody = 8 << 20

	// maxBodies bounds in bytes the bodies of all requests together until they are decoded. Bodies up to smallBody are not
	// counted: they take no more memory than their connection, so there is always room for a usual job.
	maxBodies = 64 << 20
	smallBody = 16 << 10

	// bodyWait is how long a caller may take to send its request.
	bodyWait = 30 * time.Second
	// roomWait is how long a request may wait for room for its body.
	roomWait = 5 * time.Second
)

// ignoredHeader is the response header with the name, cut to maxIgnored bytes, of a request member that the daemon does not know.
const (
	ignoredHeader = "Ccee-Ignored"
	maxIgnored    = 64
)

// readSpec reads the request once there is room for it, under a deadline. The deadline is removed afterwards: if it passed
// while the job runs, net/http would believe that the caller disconnected.
func (s *Server) readSpec(w http.ResponseWriter, r *http.Request) (job.Spec, error) {
	size := r.ContentLength
	switch {
	case size > maxBody:
		return job.Spec{}, errTooLarge()
	case size < 0: // chunked
		size = maxBody
	}
	release, err := reserve(r.Context(), s.bodies, size)
	if err != nil {
		return job.Spec{}, err
	}
	defer release()
	ctl := http.NewResponseController(w)
	if err := ctl.SetReadDeadline(time.Now().Add(bodyWait)); err != nil {
		return job.Spec{}, err
	}
	b, err := readBody(w, r, size)
	if err != nil {
		return job.Spec{}, err
	}
	spec, ignored, err := decodeSpec(b)
	if err != nil {
		return job.Spec{}, err
	}
	if ignored != "" {
		w.Header().Set(ignoredHeader, strings.Trim(strconv.QuoteToASCII(ignored[:min(len(ignored), maxIgnored)]), `"`))
	}
	return spec, ctl.SetReadDeadline(time.Time{})
}

// reserve waits for room for a body of size bytes. release gives it back.
func reserve(ctx context.Context, bodies *semaphore.Weighted, size int64) (release func(), err error) {
	if size <= smallBody {
		return func() {}, nil
	}
	bounded, cancel := context.WithTimeout(ctx, roomWait)
	defer cancel()
	switch {
	case bodies.Acquire(bounded, size) == nil:
		return func() { bodies.Release(size) }, nil
	case ctx.Err() != nil:
		return nil, job.Errorf(job.ECancelled, "the job was cancelled before it was read")
	}
	return nil, job.Errorf(job.EBusy, "%d MiB of other requests are being read: try again later", maxBodies/job.MiB)
}

// readBody reads a body of at most size bytes.
func readBody(w http.ResponseWriter, r *http.Request, size int64) ([]byte, error) {
	// With room for one more read, which sees the end, the buffer never grows: a body takes what was reserved for it.
	buf := bytes.NewBuffer(make([]byte, 0, size+bytes.MinRead))
	_, err := buf.ReadFrom(http.MaxBytesReader(w, r.Body, maxBody))
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		return nil, errTooLarge()
	case err != nil:
		return nil, job.Errorf(job.EInvalid, "the body ended early")
	}
	return buf.Bytes(), nil
}

func errTooLarge() *job.Error {
	return job.Errorf(job.ETooLarge, "the body has more than %d bytes", maxBody)
}
