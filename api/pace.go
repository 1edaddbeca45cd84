package api

import (
	"net/http"
	"time"
)

// The least pace at which a client must send what it sends, so that who sends slowly holds nothing for long.
const (
	paceGrace = 5 * time.Second // at the start
	paceRate  = 64 << 10        // bytes a second behind that
)

// paceEnd is when what comes at the least pace must have come, n bytes of which are there, but not later than longest.
func paceEnd(from time.Time, n int64, longest time.Duration) time.Time {
	return from.Add(min(longest, paceGrace+time.Duration(n)*time.Second/paceRate))
}

// pace holds the body of a request to the least pace.
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
	_ = p.ctl.SetReadDeadline(paceEnd(p.from, int64(n), readTimeout).Add(p.more)) // an error: the connection is gone, or a test's
}

// end takes the bound away: the server goes on looking whether the client is still there while the request is answered.
func (p *pace) end() {
	if p.set {
		_ = p.ctl.SetReadDeadline(time.Time{})
	}
}
