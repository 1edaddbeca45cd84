// SPDX-License-Identifier: Apache-2.0

package task

import (
	"errors"
	"io"
	"net/http"
	"os"
	"time"
)

// The minimum pace at which a task must send, so that a slow one holds nothing for long.
const (
	paceGrace = 5 * time.Second // at the start
	paceRate  = 256 << 10       // bytes a second after that
)

// smallBody is how much is read before room is reserved, in bytes: a heartbeat always finds room.
const smallBody = 16 << 10

// read reads a body of at most most bytes. Room is reserved as the body comes, not as it is announced. The caller calls release when it
// needs the body no more.
func (h *Routes) read(w http.ResponseWriter, r *http.Request, most int64) (body []byte, release func(), err error) {
	var held int64
	release = func() { h.bodies.Release(held) }
	if r.ContentLength > most {
		return nil, release, errLarge
	}
	from, ctl := time.Now(), http.NewResponseController(w)
	defer func() { _ = ctl.SetReadDeadline(time.Time{}) }()
	buf := make([]byte, 0, smallBody)
	for {
		if len(buf) == cap(buf) {
			room := min(2*int64(cap(buf)), most+1)
			if !h.bodies.TryAcquire(room - held) {
				return nil, release, errNoRoom
			}
			held = room
			buf = append(make([]byte, 0, room), buf...)
		}
		due := from.Add(h.grace + time.Duration(len(buf))*time.Second/paceRate)
		_ = ctl.SetReadDeadline(due) // an error: a test's request, or the connection is gone
		_ = ctl.SetWriteDeadline(due.Add(30 * time.Second))
		n, err := r.Body.Read(buf[len(buf):cap(buf)])
		buf = buf[:len(buf)+n]
		switch {
		case int64(len(buf)) > most:
			return nil, release, errLarge
		case err == io.EOF:
			return buf, release, nil
		case errors.Is(err, os.ErrDeadlineExceeded):
			return nil, release, errSlow
		case err != nil:
			return nil, release, errCut
		}
	}
}
