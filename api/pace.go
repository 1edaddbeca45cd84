// SPDX-License-Identifier: Apache-2.0

package api

import (
	"net/http"
	"time"
)

// The minimum pace at which a client must send, so that slow clients hold nothing for long.
const (
	paceGrace = 5 * time.Second // at the start
	paceRate  = 64 << 10        // bytes a second after that
)

// paceDeadline returns when more must have come of a body of which n bytes are there, but not later than longest after from.
func paceDeadline(from time.Time, n int64, longest time.Duration) time.Time {
	return from.Add(min(longest, paceGrace+time.Duration(n)*time.Second/paceRate))
}

// pace holds the body of a request to the minimum pace.
type pace struct {
	ctl  *http.ResponseController
	from time.Time
	more time.Duration // than usual; tests
	set  bool
}

func (s *Server) newPace(w http.ResponseWriter) *pace {
	return &pace{ctl: http.NewResponseController(w), from: time.Now(), more: s.patience}
}

// allow bounds the wait for more when n bytes have come.
func (p *pace) allow(n int) {
	p.set = true
	_ = p.ctl.SetReadDeadline(paceDeadline(p.from, int64(n), readTimeout).Add(p.more)) // an error: the connection is gone, or a test's
}

// end removes the bound: the server goes on reading while the request is answered, to notice that the client leaves.
func (p *pace) end() {
	if p.set {
		_ = p.ctl.SetReadDeadline(time.Time{})
	}
}
