package api

import (
	"context"
	"errors"
	"net/http"
	"net/netip"
	"strconv"
	"time"

	"github.com/ccee-dev/ccee/api/auth"
)

// errStranger refuses a bearer token of an address that failed too often, which may be that of many: one that can't be good, or, when much time
// went into bad ones, was not good before. Verifying one more costs more than asking for a key.
var errStranger = errors.New("too many failures of this address")

// authenticate finds out who calls. What comes of it is answered later, by known.
func (s *Server) authenticate(c *call, rt route) {
	switch rt.access {
	case anyone:
	case admins:
		c.who, c.refused = s.opts.Auth.AuthenticateAdmin(c.r.Header)
	default:
		if c.refused = s.verify(c); c.refused == errStranger {
			return
		}
		if c.refused == nil {
			c.refused = c.missingScope(c.who)
		}
	}
}

// missingScope refuses a caller whose credential is not for the route.
func (c *call) missingScope(who auth.Principal) error {
	for _, scope := range c.scopes {
		if !who.Scopes.Has(scope) {
			return &auth.Refusal{Reason: auth.MissingScope}
		}
	}
	return nil
}

// mayRead reports whether the caller may see what a route that writes shows besides.
func (c *call) mayRead() bool { return c.who.Scopes.Has(auth.Read) }

// recheck asks again who calls, of a request that has been open for long: the error is a *auth.Refusal when its credential was revoked
// or is over. That nobody can say just now changes nothing.
func (s *Server) recheck(c *call) error {
	ctx, cancel := context.WithTimeout(c.r.Context(), redisTimeout)
	defer cancel()
	who, err := s.opts.Auth.Authenticate(ctx, c.r.Header)
	if err == nil {
		err = c.missingScope(who)
	}
	if err == nil && who.Tenant != c.who.Tenant {
		err = &auth.Refusal{Reason: auth.InvalidAPIKey}
	}
	if !errors.As(err, new(*auth.Refusal)) {
		return nil
	}
	return err
}

// verify asks who calls.
func (s *Server) verify(c *call) (err error) {
	s.warnOfProxies(c.r)
	addr := s.clientAddr(c.r)
	if n, _ := s.strangers.used(addr); n >= strangerLimit && len(c.r.Header["Authorization"]) > 0 {
		promising, proven := s.opts.Auth.Judge(c.r.Header)
		if !promising || !proven && !s.strangers.mayVerify(addr) {
			return errStranger
		}
		began := time.Now()
		defer func() {
			if err != nil {
				s.strangers.verified(addr, time.Since(began))
			}
		}()
	}
	c.who, err = s.opts.Auth.Authenticate(c.r.Context(), c.r.Header)
	return err
}

// warnOfProxies says once that there is a proxy that is not known as one, so that all who come through it count as one address.
func (s *Server) warnOfProxies(r *http.Request) {
	if len(r.Header["X-Forwarded-For"]) == 0 {
		return
	}
	ap, err := netip.ParseAddrPort(r.RemoteAddr)
	if peer := ap.Addr().Unmap(); err == nil && (peer.IsPrivate() || peer.IsLoopback()) && !s.trusts(peer) {
		s.proxyWarning.Do(func() {
			s.opts.Log.Warn().Str("peer", peer.String()).Msg("a request with X-Forwarded-For came from a peer that is not in TRUSTED_PROXIES: " +
				"if that is a proxy of yours, name it there, or all who come through it share the bounds of one address")
		})
	}
}

// known turns away callers who are not known, or may not do this: it answers and returns false. They are not counted in a
// tenant's window and learn nothing of rates; but of one address only so many are answered with more than 429.
func (s *Server) known(c *call) bool {
	if c.refused == nil {
		return true
	}
	var refused *auth.Refusal
	switch {
	case errors.As(c.refused, &refused):
		s.turnAway(c, refused)
	case errors.Is(c.refused, errStranger):
		s.tooManyFailures(c)
	case errors.Is(c.refused, auth.ErrUnavailable):
		c.log.Error().Err(c.refused).Str("traceId", c.trace).Msg("authenticate")
		c.w.Header().Set("Retry-After", retryAfterAway)
		c.refuse(http.StatusServiceUnavailable, "unavailable", "jwks_unreachable")
	default:
		c.log.Error().Err(c.refused).Str("traceId", c.trace).Msg("authenticate")
		c.fault()
	}
	return false
}

// turnAway answers a refusal and notes it, unless the address had too many.
func (s *Server) turnAway(c *call, refused *auth.Refusal) {
	n, audit, unlisted := s.strangers.fail(s.clientAddr(c.r))
	entry := map[string]any{"path": c.route}
	if unlisted > 0 {
		entry["unlisted"] = unlisted
	}
	s.metrics.authFailures.WithLabelValues(string(refused.Reason)).Inc()
	if n > strangerLimit {
		s.tooManyFailures(c)
		return
	}
	switch refused.Reason {
	case auth.AdminMissing, auth.AdminForbidden, auth.AdminNotMapped:
		s.turnAwayAdmin(c, refused.Reason, audit, entry)
		return
	}
	if audit {
		tenant := c.who.Tenant
		c.who.Tenant = "" // the trail of a tenant is for those who are it
		entry["reason"], entry["method"] = refused.Reason, c.r.Method
		s.audit(c, "auth_failed", "", entry)
		c.who.Tenant = tenant
	}
	c.refuseCaller(refused)
}

// refuseCaller answers a refusal, which tells nothing of rates.
func (c *call) refuseCaller(refused *auth.Refusal) {
	for _, name := range []string{"X-Ratelimit-Limit", "X-Ratelimit-Remaining", "X-Ratelimit-Reset"} {
		c.w.Header().Del(name)
	}
	if refused.Forbidden() {
		c.refuse(http.StatusForbidden, "forbidden", string(refused.Reason))
	} else {
		c.refuse(http.StatusUnauthorized, "unauthorized", string(refused.Reason))
	}
}

// turnAwayAdmin answers who is no operator. Bodies and actions are the contract's.
func (s *Server) turnAwayAdmin(c *call, reason auth.Reason, audit bool, entry map[string]any) {
	status, action := http.StatusForbidden, "admin_auth_denied"
	switch reason {
	case auth.AdminMissing:
		status, action = http.StatusUnauthorized, "admin_auth_missing"
	case auth.AdminNotMapped:
		action = ""
	}
	if audit && action != "" {
		c.who.Tenant = "unknown"
		s.audit(c, action, "", entry)
		c.who.Tenant = ""
	}
	c.refuse(status, string(reason), "")
}

// tooManyFailures answers an address that failed too often.
func (s *Server) tooManyFailures(c *call) {
	n, left := s.strangers.used(s.clientAddr(c.r))
	wait := max(1, ceilSeconds(left))
	c.w.Header().Set("Retry-After", strconv.FormatInt(wait, 10))
	c.json(http.StatusTooManyRequests, limited{
		Error: "rate_limited", TraceID: c.trace, Limit: strangerLimit, Used: int64(n), RetryAfterSeconds: wait, WindowSeconds: int64(strangerWindow.Seconds()),
	})
}
