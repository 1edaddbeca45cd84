// SPDX-License-Identifier: Apache-2.0

package api

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"net/http"
	"time"

	"github.com/ccee-dev/ccee/api/analysis"
	"github.com/ccee-dev/ccee/api/view"
	"github.com/ccee-dev/ccee/queue"
)

// maxModelCalls bounds the calls of the model in flight; requests beyond it get the heuristic answer.
const maxModelCalls = 16

// analyzed is the answer of POST /v1/jobs/:jobId/analyze.
type analyzed struct {
	JobID       string            `json:"jobId"`
	ExecutionID string            `json:"executionId"`
	TraceID     string            `json:"traceId"`
	Status      string            `json:"status"`
	Provider    string            `json:"provider"`
	Analysis    analysis.Analysis `json:"analysis"`
}

// analyzeJob explains the end of a job in words and stores the explanation with it: POST /v1/jobs/:jobId/analyze.
func (s *Server) analyzeJob(c *call) {
	id, ok := c.jobID()
	if !ok {
		return
	}
	rec, err := s.await(c, id, 0)
	if err != nil {
		c.showJob(rec, err, nil)
		return
	}
	source, err := s.source(c, id)
	if err != nil {
		c.showJob(rec, err, nil)
		return
	}
	answer, reason := s.explain(c, analysis.Input{
		Status: view.Status(rec), Language: rec.Language, Source: source, TimeoutMs: rec.Request.TimeoutMs, MemoryMb: rec.Request.MemoryMb,
		CPUMillicores: rec.Request.CPUMillicores, Result: rec.Result, Error: rec.Error,
	})
	answer.JobID, answer.ExecutionID, answer.TraceID, answer.Status = id, id, c.trace, view.Status(rec)
	if err := s.keepAnalysis(c, answer, reason); err != nil {
		c.showJob(rec, err, nil)
		return
	}
	c.json(http.StatusOK, answer)
}

// source returns the source of a job, from Redis or from the archive.
func (s *Server) source(c *call, id string) (string, error) {
	ctx, cancel := c.redis()
	defer cancel()
	source, err := s.opts.Queue.Source(ctx, c.who.Tenant, id)
	return orArchived(s, source, err, func(a Archive) (string, error) { return loadArchived(c, a, id, a.Source) })
}

// keepAnalysis stores an explanation with its job, in Redis or in the archive, and audits it.
func (s *Server) keepAnalysis(c *call, answer analyzed, reason string) error {
	b, err := json.Marshal(answer.Analysis)
	if err != nil {
		return err
	}
	ctx, cancel := c.redis()
	defer cancel()
	kept := queue.Analysis{Report: b, Provider: answer.Provider, FallbackReason: reason, UpdatedAt: time.Now()}
	metadata := map[string]any{"traceId": c.trace, "provider": answer.Provider, "confidence": answer.Analysis.Confidence,
		"summary": clip(answer.Analysis.Summary, 120), "fallbackReason": reason}
	err = s.opts.Queue.SetAnalysis(ctx, c.who.Tenant, answer.JobID, kept, metadata)
	_, err = orArchived(s, struct{}{}, err, func(a Archive) (struct{}, error) {
		s.audit(c, "job_analyzed", answer.JobID, metadata)
		return struct{}{}, a.SetAnalysis(c.r.Context(), c.who.Tenant, answer.JobID, kept)
	})
	return err
}

// clip returns the first n characters of s.
func clip(s string, n int) string {
	if r := []rune(s); len(r) > n {
		return string(r[:n])
	}
	return s
}

// explain asks the model, or else the rules; reason says why it was not the model.
func (s *Server) explain(c *call, in analysis.Input) (answer analyzed, reason string) {
	answer.Analysis, answer.Provider, reason = analysis.Heuristic(in), "heuristic", "ai_provider_disabled"
	if s.opts.Model != nil {
		explained, err := s.askModel(c, in)
		var f *analysis.Failure
		switch {
		case err == nil:
			answer.Analysis, answer.Provider, reason = explained, "openai", ""
		case errors.As(err, &f):
			reason = f.Reason
		default:
			reason = "openai_unknown_failure"
		}
		if err != nil {
			c.log.Warn().Err(err).Str("traceId", c.trace).Str("tenantId", c.who.Tenant).Msg("the model was not asked, or its answer is of no use")
		}
	}
	answer.Analysis.GeneratedAt = time.Now().UTC().Format("2006-01-02T15:04:05.000Z")
	return answer, reason
}

// The reasons for which the model is not asked.
var (
	errBusy   = &analysis.Failure{Reason: "openai_busy", Err: errors.New("too many calls are in flight")}
	errBudget = &analysis.Failure{Reason: "budget_exhausted", Err: errors.New("the tenant has used up its calls of this day")}
)

// askModel asks the model within the tenant's budget. Its earlier answer to the same prompt is used again.
func (s *Server) askModel(c *call, in analysis.Input) (answer analysis.Analysis, err error) {
	prompt := s.opts.Model.Prompt(in)
	hash := sha256.Sum256([]byte(s.opts.ModelName + "\n" + prompt))
	sum := hex.EncodeToString(hash[:])
	ctx, cancel := c.redis()
	defer cancel()
	before, err := s.opts.Queue.CachedAnswer(ctx, c.who.Tenant, sum)
	if err == nil && before != nil && json.Unmarshal(before, &answer) == nil {
		return answer, nil
	}
	if !s.modelCalls.TryAcquire(1) {
		return answer, errBusy
	}
	defer s.modelCalls.Release(1)
	if ok, err := s.opts.Queue.SpendModelCall(ctx, c.who.Tenant, s.opts.ModelBudget); err != nil {
		return answer, err
	} else if !ok {
		return answer, errBudget
	}
	// The answer may take longer than Redis may; it ends with the request.
	if answer, err = s.opts.Model.Ask(c.r.Context(), prompt); err != nil {
		return answer, err
	}
	b, err := json.Marshal(answer)
	if err != nil {
		return answer, err
	}
	keep, cancel := context.WithTimeout(context.WithoutCancel(c.r.Context()), redisTimeout)
	defer cancel()
	if err := s.opts.Queue.CacheAnswer(keep, c.who.Tenant, sum, b); err != nil {
		c.log.Warn().Err(err).Str("traceId", c.trace).Msg("the model's answer is not kept")
	}
	return answer, nil
}
