package client

import (
	"context"
	"encoding/json"
	"iter"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

// Submission is a job to be run. Of the many members of the contract it has those that most callers need; More has the others.
type Submission struct {
	Language   string
	SourceCode string
	Stdin      []byte
	Args       []string
	Env        map[string]string
	TimeoutMs  int // 0: the default
	MemoryMb   int
	More       map[string]any // further members, by their names in the contract

	IdempotencyKey string // "": one is made, so that a call that is made again makes no second job
}

// MarshalJSON writes the contract's members.
func (s Submission) MarshalJSON() ([]byte, error) {
	m := map[string]any{"language": s.Language}
	for name, v := range s.More {
		m[name] = v
	}
	if s.SourceCode != "" {
		m["sourceCode"] = s.SourceCode
	}
	if s.Stdin != nil {
		m["stdinBase64"] = s.Stdin
	}
	if s.Args != nil {
		m["args"] = s.Args
	}
	if s.Env != nil {
		m["env"] = s.Env
	}
	if s.TimeoutMs != 0 {
		m["timeoutMs"] = s.TimeoutMs
	}
	if s.MemoryMb != 0 {
		m["memoryMb"] = s.MemoryMb
	}
	return json.Marshal(m)
}

// Job is a job as the API shows it; Raw is all of it.
type Job struct {
	JobID           string     `json:"jobId"`
	Language        string     `json:"language"`
	Status          string     `json:"status"` // queued, running, retrying, succeeded, failed, timed_out, cancelled
	CreatedAt       time.Time  `json:"createdAt"`
	CompletedAt     *time.Time `json:"completedAt"`
	Error           string     `json:"error"` // our fault
	FailureCategory string     `json:"failureCategory"`
	Result          *Result    `json:"result"`

	Raw json.RawMessage `json:"-"`
}

// Final reports whether the job is over.
func (j *Job) Final() bool {
	switch j.Status {
	case "succeeded", "failed", "timed_out", "cancelled":
		return true
	}
	return false
}

// Result is what became of a job.
type Result struct {
	Status       string `json:"status"`
	Verdict      string `json:"verdict"`
	ExitCode     *int   `json:"exitCode"`
	Signal       string `json:"signal"`
	TimedOut     bool   `json:"timedOut"`
	DurationMs   int64  `json:"durationMs"`
	Stdout       string `json:"stdout"`
	Stderr       string `json:"stderr"`
	StdoutBase64 []byte `json:"stdoutBase64"` // the bytes
	StderrBase64 []byte `json:"stderrBase64"`
	Tests        *Tests `json:"tests"` // nil unless it had tests
}

// Tests is what came of a job's tests.
type Tests struct {
	Total  int    `json:"total"`
	Passed int    `json:"passed"`
	Items  []Test `json:"items"`
}

// Test is what came of one test.
type Test struct {
	Number  int    `json:"number"`
	Name    string `json:"name"`
	Passed  bool   `json:"passed"`
	Verdict string `json:"verdict"`
	Message string `json:"message"`
}

// waitAtOnce is how long one call waits for a job.
const waitAtOnce = 30 * time.Second

// Submit submits a job and returns its id.
func (c *Client) Submit(ctx context.Context, s Submission) (id string, err error) {
	var out struct{ JobID string }
	_, err = c.call(ctx, request{method: http.MethodPost, path: "/v1/jobs", body: s, key: orKey(s.IdempotencyKey)}, &out)
	return out.JobID, err
}

func orKey(key string) string {
	if key == "" {
		return newKey()
	}
	return key
}

// Run submits a job and waits for its end, as long as it takes.
func (c *Client) Run(ctx context.Context, s Submission) (*Job, error) {
	var j Job
	raw, err := c.call(ctx, request{method: http.MethodPost, path: "/v1/jobs", query: waiting(), body: s, key: orKey(s.IdempotencyKey), wait: waitAtOnce}, &j)
	if err != nil {
		return nil, err
	}
	if j.Final() {
		j.Raw = raw
		return &j, nil
	}
	return c.Wait(ctx, j.JobID)
}

func waiting() url.Values {
	return url.Values{"wait": {strconv.Itoa(int(waitAtOnce.Seconds()))}, "encoding": {"base64"}}
}

// Job returns a job as it is now.
func (c *Client) Job(ctx context.Context, id string) (*Job, error) {
	return c.job(ctx, request{method: http.MethodGet, path: "/v1/jobs/" + url.PathEscape(id), query: url.Values{"encoding": {"base64"}}})
}

// Wait returns a job once it is over.
func (c *Client) Wait(ctx context.Context, id string) (*Job, error) {
	for {
		j, err := c.job(ctx, request{method: http.MethodGet, path: "/v1/jobs/" + url.PathEscape(id), query: waiting(), wait: waitAtOnce})
		if err != nil || j.Final() {
			return j, err
		}
	}
}

func (c *Client) job(ctx context.Context, r request) (*Job, error) {
	var j Job
	raw, err := c.call(ctx, r, &j)
	if err != nil {
		return nil, err
	}
	j.Raw = raw
	return &j, nil
}

// Cancel takes a job back and returns it as it is then.
func (c *Client) Cancel(ctx context.Context, id string) (*Job, error) {
	return c.job(ctx, request{method: http.MethodDelete, path: "/v1/jobs/" + url.PathEscape(id)})
}

// Rerun submits what a job was submitted with again, and returns the new job's id.
func (c *Client) Rerun(ctx context.Context, id string) (string, error) {
	var out struct{ JobID string }
	_, err := c.call(ctx, request{method: http.MethodPost, path: "/v1/jobs/" + url.PathEscape(id) + "/rerun"}, &out)
	return out.JobID, err
}

// Delete deletes what is stored of a job that is over.
func (c *Client) Delete(ctx context.Context, id string) error {
	_, err := c.call(ctx, request{method: http.MethodDelete, path: "/v1/jobs/" + url.PathEscape(id) + "/data"}, nil)
	return err
}

// Analyze returns what is said of a job, as the API says it.
func (c *Client) Analyze(ctx context.Context, id string) (json.RawMessage, error) {
	return c.call(ctx, request{method: http.MethodPost, path: "/v1/jobs/" + url.PathEscape(id) + "/analyze"}, nil)
}

// HistoryQuery asks for a part of the history; zero members ask for all.
type HistoryQuery struct {
	Status, Language string
	From, To         time.Time
	Page             int // jobs a call
}

// History goes through the jobs, the newest first, without their output. It ends with the error, if there is one.
func (c *Client) History(ctx context.Context, h HistoryQuery) iter.Seq2[*Job, error] {
	q := url.Values{"view": {"summary"}}
	set := func(name, v string) {
		if v != "" {
			q.Set(name, v)
		}
	}
	set("status", h.Status)
	set("language", h.Language)
	for name, t := range map[string]time.Time{"from": h.From, "to": h.To} {
		if !t.IsZero() {
			q.Set(name, t.UTC().Format(time.RFC3339Nano))
		}
	}
	if h.Page > 0 {
		q.Set("limit", strconv.Itoa(h.Page))
	}
	return pages(ctx, c, "/v1/jobs", q, "items", func(raw json.RawMessage) (*Job, error) {
		j := &Job{Raw: raw}
		return j, json.Unmarshal(raw, j)
	})
}

// Event is one entry of the audit; Raw is all of it.
type Event struct {
	StreamID  string          `json:"streamId"`
	Timestamp time.Time       `json:"timestamp"`
	Actor     string          `json:"actor"`
	Action    string          `json:"action"`
	JobID     string          `json:"jobId"`
	Metadata  json.RawMessage `json:"metadata"`

	Raw json.RawMessage `json:"-"`
}

// Audit goes through the audit, the newest first. It ends with the error, if there is one.
func (c *Client) Audit(ctx context.Context) iter.Seq2[*Event, error] {
	return pages(ctx, c, "/v1/audit", url.Values{"limit": {"100"}}, "events", func(raw json.RawMessage) (*Event, error) {
		e := &Event{Raw: raw}
		return e, json.Unmarshal(raw, e)
	})
}

// pages goes through the elements of a list, page by page.
func pages[T any](ctx context.Context, c *Client, path string, q url.Values, member string, read func(json.RawMessage) (T, error)) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		var zero T
		for {
			var page map[string]json.RawMessage
			var items []json.RawMessage
			var next string
			_, err := c.call(ctx, request{method: http.MethodGet, path: path, query: q}, &page)
			if err == nil {
				err = json.Unmarshal(page[member], &items)
			}
			if err == nil {
				err = json.Unmarshal(page["nextCursor"], &next)
			}
			if err != nil {
				yield(zero, err)
				return
			}
			for _, raw := range items {
				item, err := read(raw)
				if !yield(item, err) || err != nil {
					return
				}
			}
			if next == "" {
				return
			}
			q.Set("cursor", next)
		}
	}
}

// Quotas and Costs return what the API says, as it says it.
func (c *Client) Quotas(ctx context.Context) (json.RawMessage, error) {
	return c.call(ctx, request{method: http.MethodGet, path: "/v1/quotas"}, nil)
}

// Costs returns the costs of the last days, 1 to 30, as the API says them.
func (c *Client) Costs(ctx context.Context, days int) (json.RawMessage, error) {
	return c.call(ctx, request{method: http.MethodGet, path: "/v1/costs", query: url.Values{"days": {strconv.Itoa(days)}}}, nil)
}

// Runtime is a language that can be submitted.
type Runtime struct {
	Language   string
	Available  bool // a worker can run it now; else its jobs wait for one
	Aliases    []string
	SourceFile string
}

// Runtimes lists them.
func (c *Client) Runtimes(ctx context.Context) ([]Runtime, error) {
	var out struct{ Runtimes []Runtime }
	_, err := c.call(ctx, request{method: http.MethodGet, path: "/v1/runtimes"}, &out)
	return out.Runtimes, err
}
