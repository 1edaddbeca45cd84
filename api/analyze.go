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

// maxModelCalls is how many calls of the model are on their way at once; what is beyond gets the heuristic answer.
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

// analyzeJob says in words what became of a job, and stores that with it: POST /v1/jobs/:jobId/analyze.
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
	ctx, cancel := c.redis()
	source, err := s.opts.Queue.Source(ctx, c.who.Tenant, id)
	cancel()
	source, err = orArchived(s, source, err, func(a Archive) (string, error) { return wholeArchived(c, a, id, a.Source) })
	if err != nil {
		c.showJob(rec, err, nil)
		return
	}
	said, provider, reason := s.say(c, analysis.Input{
		Status: view.Status(rec), Language: rec.Language, Source: source, TimeoutMs: rec.Request.TimeoutMs, MemoryMb: rec.Request.MemoryMb,
		CPUMillicores: rec.Request.CPUMillicores, Result: rec.Result, Error: rec.Error,
	})
	said.GeneratedAt = time.Now().UTC().Format("2006-01-02T15:04:05.000Z")
	b, err := json.Marshal(said)
	if err != nil {
		panic(err)
	}
	ctx, cancel = c.redis()
	defer cancel()
	verbal := queue.Analysis{Report: b, Provider: provider, FallbackReason: reason, UpdatedAt: time.Now()}
	noted := map[string]any{"traceId": c.trace, "provider": provider, "confidence": said.Confidence, "summary": clip(said.Summary, 120), "fallbackReason": reason}
	err = s.opts.Queue.SetAnalysis(ctx, c.who.Tenant, id, verbal, noted)
	_, err = orArchived(s, struct{}{}, err, func(a Archive) (struct{}, error) {
		s.audit(c, "job_analyzed", id, noted)
		return struct{}{}, a.SetAnalysis(c.r.Context(), c.who.Tenant, id, verbal)
	})
	if err != nil {
		c.showJob(rec, err, nil)
		return
	}
	c.json(http.StatusOK, analyzed{JobID: id, ExecutionID: id, TraceID: c.trace, Status: view.Status(rec), Provider: provider, Analysis: said})
}

// clip returns the first n characters of s.
func clip(s string, n int) string {
	if r := []rune(s); len(r) > n {
		return string(r[:n])
	}
	return s
}

// say has the model speak, or else the rules; reason says why not the model.
func (s *Server) say(c *call, in analysis.Input) (said analysis.Analysis, provider, reason string) {
	if s.opts.Model == nil {
		return analysis.Heuristic(in), "heuristic", "ai_provider_disabled"
	}
	said, err := s.ask(c, in)
	if err == nil {
		return said, "openai", ""
	}
	var f *analysis.Failure
	if !errors.As(err, &f) {
		f = &analysis.Failure{Reason: "openai_unknown_failure", Err: err}
	}
	c.log.Warn().Err(err).Str("traceId", c.trace).Str("tenantId", c.who.Tenant).Msg("the model was not asked, or said nothing of use")
	return analysis.Heuristic(in), "heuristic", f.Reason
}

// The reasons for which the model is not asked.
var (
	errBusy   = &analysis.Failure{Reason: "openai_busy", Err: errors.New("too many calls are on their way")}
	errBudget = &analysis.Failure{Reason: "budget_exhausted", Err: errors.New("the tenant has used up its calls of this day")}
)

// ask has the model speak within the tenant's budget; what it said before to the same is not asked again.
func (s *Server) ask(c *call, in analysis.Input) (said analysis.Analysis, err error) {
	prompt := s.opts.Model.Prompt(in)
	hash := sha256.Sum256([]byte(s.opts.ModelName + "\n" + prompt))
	sum := hex.EncodeToString(hash[:])
	ctx, cancel := c.redis()
	defer cancel()
	before, err := s.opts.Queue.CachedAnswer(ctx, c.who.Tenant, sum)
	if err == nil && before != nil && json.Unmarshal(before, &said) == nil {
		return said, nil
	}
	if !s.modelCalls.TryAcquire(1) {
		return said, errBusy
	}
	defer s.modelCalls.Release(1)
	if ok, err := s.opts.Queue.SpendModelCall(ctx, c.who.Tenant, s.opts.ModelBudget); err != nil {
		return said, err
	} else if !ok {
		return said, errBudget
	}
	// The answer may take longer than Redis may; it ends with the request.
	if said, err = s.opts.Model.Ask(c.r.Context(), prompt); err != nil {
		return said, err
	}
	b, err := json.Marshal(said)
	if err != nil {
		return said, err
	}
	keep, cancel := context.WithTimeout(context.WithoutCancel(c.r.Context()), redisTimeout)
	defer cancel()
	if err := s.opts.Queue.CacheAnswer(keep, c.who.Tenant, sum, b); err != nil {
		c.log.Warn().Err(err).Str("traceId", c.trace).Msg("the model's answer is not kept")
	}
	return said, nil
}
