// SPDX-License-Identifier: Apache-2.0

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

// errTooManyFailures rejects a bearer token from an address that failed too often, which many callers may share: a token that can't be
// valid, or, once much time was spent on invalid ones, one that was not valid before. Verifying a token costs more than looking a key up.
var errTooManyFailures = errors.New("too many failed authentications from this address")

// authenticate finds out who calls. A failure is answered later, by admitCaller: the contract reads the body first.
func (s *Server) authenticate(c *call, rt route) {
	switch rt.access {
	case anyone:
	case admins:
		c.who, c.authErr = s.opts.Auth.AuthenticateAdmin(c.r.Header)
	default:
		if c.authErr = s.verify(c); c.authErr == errTooManyFailures {
			return
		}
		if c.authErr == nil {
			c.authErr = c.missingScope(c.who)
		}
	}
}

// missingScope returns an error for a caller whose credential is not for the route.
func (c *call) missingScope(who auth.Principal) error {
	for _, scope := range c.scopes {
		if !who.Scopes.Has(scope) {
			return &auth.Refusal{Reason: auth.MissingScope}
		}
	}
	return nil
}

// mayRead reports whether the caller may see the job that a writing route shows in its answer.
func (c *call) mayRead() bool { return c.who.Scopes.Has(auth.Read) }

// recheck authenticates a request again that has been open for long. The error is a *auth.Refusal when its credential was revoked or has
// expired; an outage of the identity provider changes nothing.
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

// verify authenticates a tenant's request.
func (s *Server) verify(c *call) (err error) {
	s.warnOfProxies(c.r)
	addr := s.clientAddr(c.r)
	if n, _ := s.authFailures.count(addr); n >= failureLimit && len(c.r.Header["Authorization"]) > 0 {
		promising, proven := s.opts.Auth.Judge(c.r.Header)
		if !promising || !proven && !s.authFailures.mayVerify(addr) {
			return errTooManyFailures
		}
		began := time.Now()
		defer func() {
			if err != nil {
				s.authFailures.spend(addr, time.Since(began))
			}
		}()
	}
	c.who, err = s.opts.Auth.Authenticate(c.r.Context(), c.r.Header)
	return err
}

// warnOfProxies logs once that requests come through a proxy that is not trusted, so that all its clients count as one address.
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

// admitCaller answers a caller who is not authenticated, or not authorized for the route, and returns false. Such requests are not counted
// in a tenant's window and show no rates; beyond a number of them an address gets nothing but 429.
func (s *Server) admitCaller(c *call) bool {
	if c.authErr == nil {
		return true
	}
	var refused *auth.Refusal
	switch {
	case errors.As(c.authErr, &refused):
		s.reject(c, refused)
	case errors.Is(c.authErr, errTooManyFailures):
		s.tooManyFailures(c)
	case errors.Is(c.authErr, auth.ErrUnavailable):
		c.log.Error().Err(c.authErr).Str("traceId", c.trace).Msg("authenticate")
		c.w.Header().Set("Retry-After", retryAfterOutage)
		c.refuse(http.StatusServiceUnavailable, "unavailable", "jwks_unreachable")
	default:
		c.log.Error().Err(c.authErr).Str("traceId", c.trace).Msg("authenticate")
		c.fault()
	}
	return false
}

// reject answers a failed authentication and audits it, unless the address had too many.
func (s *Server) reject(c *call, refused *auth.Refusal) {
	n, audit, unlisted := s.authFailures.add(s.clientAddr(c.r))
	entry := map[string]any{"path": c.route}
	if unlisted > 0 {
		entry["unlisted"] = unlisted
	}
	s.metrics.authFailures.WithLabelValues(string(refused.Reason)).Inc()
	if n > failureLimit {
		s.tooManyFailures(c)
		return
	}
	switch refused.Reason {
	case auth.AdminMissing, auth.AdminForbidden, auth.AdminNotMapped:
		s.rejectAdmin(c, refused.Reason, audit, entry)
		return
	}
	if audit {
		tenant := c.who.Tenant
		c.who.Tenant = "" // only the tenant itself may write to its audit
		entry["reason"], entry["method"] = refused.Reason, c.r.Method
		s.audit(c, "auth_failed", "", entry)
		c.who.Tenant = tenant
	}
	c.refuseCaller(refused)
}

// refuseCaller answers a failed authentication, without the headers of the rate window.
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

// rejectAdmin answers a caller who is no operator. Bodies and actions are the contract's.
func (s *Server) rejectAdmin(c *call, reason auth.Reason, audit bool, entry map[string]any) {
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
	n, left := s.authFailures.count(s.clientAddr(c.r))
	wait := max(1, ceilSeconds(left))
	c.w.Header().Set("Retry-After", strconv.FormatInt(wait, 10))
	c.json(http.StatusTooManyRequests, limited{
		Error: "rate_limited", TraceID: c.trace, Limit: failureLimit, Used: int64(n), RetryAfterSeconds: wait, WindowSeconds: int64(failureWindow.Seconds()),
	})
}
