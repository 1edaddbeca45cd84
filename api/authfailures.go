package api

import (
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"time"
)

// The bounds of callers who do not prove who they are.
const (
	strangerWindow = time.Minute
	strangerLimit  = 600             // failures of one address in a window
	strangerTable  = 100_000         // addresses in a window; beyond that all others are one
	strangerTime   = 3 * time.Second // for verifying bad tokens of one address in a window, behind the limit
	strangerAudits = 10              // failures of one address in a window that have an entry of their own in the audit
	auditsAnHour   = 60              // such entries of all addresses in an hour: the stream of all tenants, 100,000, is not to be theirs
)

// strangers counts failed authentications by address, in fixed windows and in bounded memory.
type strangers struct {
	now func() time.Time

	mu     sync.Mutex // guards the rest
	ends   time.Time
	failed map[netip.Addr]int
	spent  map[netip.Addr]time.Duration // on bad tokens, behind the limit

	hourEnds time.Time
	audited  int // in this hour
	unlisted int // failures since the last audited one
}

func newStrangers() *strangers { return &strangers{now: time.Now} }

// turn begins a new window when the last one is over, and returns how long the current one still lasts.
func (s *strangers) turn() time.Duration {
	now := s.now()
	if !now.Before(s.ends) {
		s.ends, s.failed = now.Truncate(strangerWindow).Add(strangerWindow), map[netip.Addr]int{}
		s.spent = map[netip.Addr]time.Duration{}
	}
	return s.ends.Sub(now)
}

// key is what an address is counted as: itself while there is room.
func (s *strangers) key(addr netip.Addr) netip.Addr {
	if _, there := s.failed[addr]; there || len(s.failed) < strangerTable {
		return addr
	}
	return netip.Addr{}
}

// used returns the failures of addr and how long its window still lasts.
func (s *strangers) used(addr netip.Addr) (n int, left time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	left = s.turn()
	return s.failed[s.key(addr)], left
}

// mayVerify reports whether there is time left in this window for a token of an address behind the limit.
func (s *strangers) mayVerify(addr netip.Addr) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.turn()
	return s.spent[s.key(addr)] < strangerTime
}

// verified notes how long it took to find out that a token was bad.
func (s *strangers) verified(addr netip.Addr, took time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.turn()
	s.spent[s.key(addr)] += took
}

// fail counts a failure, the n-th of its address in this window. audit reports whether it gets an entry in the audit, and unlisted how many before
// it got none: without a bound, callers without a credential would push the entries of tenants out of the audit.
func (s *strangers) fail(addr netip.Addr) (n int, audit bool, unlisted int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.turn()
	k := s.key(addr)
	s.failed[k]++
	if now := s.now(); !now.Before(s.hourEnds) {
		s.hourEnds, s.audited = now.Add(time.Hour), 0
	}
	if s.failed[k] > strangerAudits || s.audited >= auditsAnHour {
		s.unlisted++
		return s.failed[k], false, 0
	}
	s.audited++
	unlisted, s.unlisted = s.unlisted, 0
	return s.failed[k], true, unlisted
}

// clientAddr is the address that a request comes from: the peer's, or, where the peer is a proxy of ours, the last one of
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

// site is what one customer has: of IPv4 an address, of IPv6 a /64, for which its first address stands.
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
