// SPDX-License-Identifier: Apache-2.0

package api

import (
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"time"
)

// The bounds for callers who fail to authenticate.
const (
	failureWindow = time.Minute
	failureLimit  = 600             // of one address in a window
	failureTable  = 100_000         // addresses in a window; the others are counted together
	verifyTime    = 3 * time.Second // spent on invalid tokens of one address in a window, beyond the limit
	failureAudits = 10              // of one address in a window that have an entry of their own in the audit
	hourlyAudits  = 60              // such entries of all addresses in an hour: the audit of all tenants has place for 100,000
)

// authFailures counts failed authentications by address, in fixed windows and in bounded memory.
type authFailures struct {
	now func() time.Time

	mu     sync.Mutex // guards the rest
	ends   time.Time
	failed map[netip.Addr]int
	spent  map[netip.Addr]time.Duration // on bad tokens, behind the limit

	hourEnds time.Time
	audited  int // in this hour
	unlisted int // failures since the last audited one
}

func newAuthFailures() *authFailures { return &authFailures{now: time.Now} }

// rotate begins a new window when the last one has ended, and returns how long the current one still lasts.
func (s *authFailures) rotate() time.Duration {
	now := s.now()
	if !now.Before(s.ends) {
		s.ends, s.failed = now.Truncate(failureWindow).Add(failureWindow), map[netip.Addr]int{}
		s.spent = map[netip.Addr]time.Duration{}
	}
	return s.ends.Sub(now)
}

// key returns the address under which an address is counted: itself while there is room.
func (s *authFailures) key(addr netip.Addr) netip.Addr {
	if _, there := s.failed[addr]; there || len(s.failed) < failureTable {
		return addr
	}
	return netip.Addr{}
}

// count returns the failures of addr and how long its window still lasts.
func (s *authFailures) count(addr netip.Addr) (n int, left time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	left = s.rotate()
	return s.failed[s.key(addr)], left
}

// mayVerify reports whether there is time left in this window for a token of an address beyond the limit.
func (s *authFailures) mayVerify(addr netip.Addr) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.rotate()
	return s.spent[s.key(addr)] < verifyTime
}

// spend adds the time that it took to find a token invalid.
func (s *authFailures) spend(addr netip.Addr, took time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.rotate()
	s.spent[s.key(addr)] += took
}

// add counts a failure, the n-th of its address in this window. audit reports whether it gets an entry in the audit, and unlisted how many
// before it got none: without a bound, callers without a credential would push the entries of tenants out of the audit.
func (s *authFailures) add(addr netip.Addr) (n int, audit bool, unlisted int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.rotate()
	k := s.key(addr)
	s.failed[k]++
	if now := s.now(); !now.Before(s.hourEnds) {
		s.hourEnds, s.audited = now.Add(time.Hour), 0
	}
	if s.failed[k] > failureAudits || s.audited >= hourlyAudits {
		s.unlisted++
		return s.failed[k], false, 0
	}
	s.audited++
	unlisted, s.unlisted = s.unlisted, 0
	return s.failed[k], true, unlisted
}

// clientAddr returns the address that a request comes from: the peer's, or, if the peer is a trusted proxy, the last one of
// X-Forwarded-For that is not.
func (s *Server) clientAddr(r *http.Request) netip.Addr {
	ap, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{}
	}
	addr := ap.Addr().Unmap()
	hops := strings.Split(strings.Join(r.Header["X-Forwarded-For"], ","), ",")
	for i := len(hops) - 1; i >= 0 && s.trusts(addr); i-- {
		hop, err := netip.ParseAddr(strings.TrimSpace(hops[i]))
		if err != nil {
			break
		}
		addr = hop.Unmap().WithZone("")
	}
	return site(addr)
}

// site returns the address that stands for one customer: of IPv4 the address itself, of IPv6 the first of its /64.
func site(addr netip.Addr) netip.Addr {
	if addr.Is6() {
		return netip.PrefixFrom(addr.WithZone(""), 64).Masked().Addr()
	}
	return addr
}

func (s *Server) trusts(addr netip.Addr) bool {
	for _, p := range s.opts.TrustedProxies {
		if p.Contains(addr) {
			return true
		}
	}
	return false
}
