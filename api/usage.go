// SPDX-License-Identifier: Apache-2.0

package api

import (
	"math"
	"net/http"

	"github.com/ccee-dev/ccee/api/decode"
	"github.com/ccee-dev/ccee/queue"
)

// quotas is the answer of GET /v1/quotas.
type quotas struct {
	TenantID string       `json:"tenantId"`
	TraceID  string       `json:"traceId"`
	AuthType string       `json:"authType"`
	Limits   tenantLimits `json:"limits"`
	Usage    tenantUsage  `json:"usage"`
}

type tenantLimits struct {
	quotaLimits
	RateLimitRequests       int64 `json:"rateLimitRequests"`
	RateLimitWindowSeconds  int64 `json:"rateLimitWindowSeconds"`
	SubmitRateLimitRequests int64 `json:"submitRateLimitRequests"`
}

type tenantUsage struct {
	quotaUsage
	DailyDate        string  `json:"dailyDate"`
	EstimatedCostUsd float64 `json:"estimatedCostUsd"`
}

// getQuotas shows a tenant's limits and today's use of them: GET /v1/quotas.
func (s *Server) getQuotas(c *call) {
	ctx, cancel := c.redis()
	defer cancel()
	u, err := s.opts.Queue.Usage(ctx, c.who.Tenant)
	if err != nil {
		c.unavailable(err)
		return
	}
	maxStored := s.submit.StoredQuota(c.principal())
	c.json(http.StatusOK, quotas{
		TenantID: c.who.Tenant, TraceID: c.trace, AuthType: c.who.Type,
		Limits: tenantLimits{
			quotaLimits:       quotaLimits{c.who.MaxConcurrentJobs, c.who.MaxDailyJobs, &maxStored},
			RateLimitRequests: s.opts.RateLimit, RateLimitWindowSeconds: int64(s.opts.RateWindow.Seconds()),
			SubmitRateLimitRequests: s.opts.SubmitLimit,
		},
		Usage: tenantUsage{
			quotaUsage: quotaUsage{u.ActiveJobs, u.DailyJobs, &u.StoredBytes}, DailyDate: u.Date, EstimatedCostUsd: roundUSD(u.EstimatedCostUsd),
		},
	})
}

// costs is the answer of GET /v1/costs.
type costs struct {
	TenantID              string    `json:"tenantId"`
	TraceID               string    `json:"traceId"`
	Currency              string    `json:"currency"`
	WindowDays            int       `json:"windowDays"`
	TotalEstimatedCostUsd float64   `json:"totalEstimatedCostUsd"`
	Daily                 []dayCost `json:"daily"`
}

type dayCost struct {
	Date             string  `json:"date"`
	EstimatedCostUsd float64 `json:"estimatedCostUsd"`
}

// The range of ?days= of GET /v1/costs.
const (
	costDaysDefault = 7
	costDaysMax     = 30
	archiveDaysMax  = 3660 // where there is an archive
)

// getCosts shows the costs of a tenant's jobs by the day they finished, today first: GET /v1/costs.
func (s *Server) getCosts(c *call) {
	iss := decode.NewIssues()
	most := int64(costDaysMax)
	if s.opts.Archive != nil {
		most = archiveDaysMax
	}
	values := c.query(iss)
	days := values.Int("days", costDaysDefault, decode.Range{Min: 1, Max: most})
	values.Check()
	if c.invalid(iss) {
		return
	}
	ctx, cancel := c.redis()
	defer cancel()
	daily, err := s.opts.Queue.Costs(ctx, c.who.Tenant, min(int(days), costDaysMax))
	if err == nil {
		daily, err = s.olderCosts(c, daily, int(days)-costDaysMax)
	}
	if err != nil {
		c.unavailable(err)
		return
	}
	answer := costs{TenantID: c.who.Tenant, TraceID: c.trace, Currency: "USD", WindowDays: int(days), Daily: viewDays(daily)}
	for _, d := range daily {
		answer.TotalEstimatedCostUsd += d.EstimatedCostUsd
	}
	answer.TotalEstimatedCostUsd = roundUSD(answer.TotalEstimatedCostUsd)
	c.json(http.StatusOK, answer)
}

func viewDays(daily []queue.DayCost) []dayCost {
	view := make([]dayCost, len(daily))
	for i, d := range daily {
		view[i] = dayCost{Date: d.Date, EstimatedCostUsd: roundUSD(d.EstimatedCostUsd)}
	}
	return view
}

// roundUSD rounds to the 8 decimals in which a job's cost is given; a sum of such costs has no more than float noise behind them.
func roundUSD(usd float64) float64 { return math.Round(usd*1e8) / 1e8 }
