// SPDX-License-Identifier: Apache-2.0

package handoff

import (
	"context"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/ccee-dev/ccee/job"
	"github.com/ccee-dev/ccee/queue"
)

//go:embed lua/*.lua
var scripts embed.FS

// How long things are kept.
const (
	offerTTL  = 15 * time.Minute // an offer, after the worker last asked for news
	liveTTL   = 2 * time.Minute  // a job counts as live, after the same
	numberTTL = 48 * time.Hour   // the number of a job's latest offer: longer than ECS remembers a clientToken
)

// maxEvents bounds the bytes of events that wait for the worker, of one offer. What does not fit is dropped: the result has everything.
const maxEvents = 4 << 20

// Errors of the exchange.
var (
	// ErrVoid means that the token is good for nothing (any more): it never was, the job has ended, or another task has the job. The task
	// ends itself.
	ErrVoid = errors.New("the token is void")
	// ErrTaken means that another process has taken the job with this token.
	ErrTaken = errors.New("the job is taken by another process")
	// ErrEnded means that the end of the job was reported before.
	ErrEnded = errors.New("the job has ended")
	// ErrOlder means that a later attempt of the job was offered: the caller's lease is lost.
	ErrOlder = errors.New("a later attempt of the job is offered")
)

// Store keeps offers. Its methods may be called from several goroutines.
type Store struct {
	space *queue.Space
	step  map[string]*queue.Step // by the name of its file
}

// New returns the Store in the queue's Redis; all processes of that queue share it. The caller closes it before the queue.
func New(q *queue.Queue) (*Store, error) {
	s := &Store{q.Space("handoff"), map[string]*queue.Step{}}
	for _, name := range []string{"offer", "take", "report", "next", "set", "drop", "live", "lead"} {
		text, err := scripts.ReadFile("lua/" + name + ".lua")
		if err != nil {
			return nil, fmt.Errorf("read a step of the handoff: %w", err)
		}
		s.step[name] = s.space.Step(string(text))
	}
	return s, nil
}

// Close ends the store's subscription.
func (s *Store) Close() { s.space.Close() }

// Take gives the job to the caller, JSON of a job.Spec. The first caller's nonce is bound to the token; it must be random, 16 to 128 bytes.
// The caller may ask again until its first Report.
func (s *Store) Take(ctx context.Context, token Token, nonce string) ([]byte, error) {
	d, err := credentials(token, nonce)
	if err != nil {
		return nil, err
	}
	a, err := s.list(ctx, "take", "take a job", d.token, d.nonce)
	if err != nil {
		return nil, err
	}
	if err := refusal(str(a, 0)); err != nil {
		return nil, err
	}
	return []byte(str(a, 1)), nil
}

// Known reports with ErrVoid, ErrTaken or ErrEnded why a Report with these credentials would be refused; it changes nothing. It lets the
// caller refuse before it reads a body.
func (s *Store) Known(ctx context.Context, token Token, nonce string) error {
	_, err := s.report(ctx, token, nonce, "?", "", "")
	return err
}

// Report passes on what the task reports; the caller has checked it. cancelled asks the task to end the job. The end may be reported again,
// unchanged, when an answer is lost.
func (s *Store) Report(ctx context.Context, token Token, nonce string, r job.Report) (cancelled bool, err error) {
	events, end := "", ""
	if len(r.Events) > 0 {
		b, err := json.Marshal(r.Events)
		if err != nil {
			return false, fmt.Errorf("encode events: %w", err)
		}
		events, r.Events = string(b), nil
	}
	if r.Last() {
		b, err := json.Marshal(r)
		if err != nil {
			return false, fmt.Errorf("encode the end of a job: %w", err)
		}
		end = string(b)
	}
	return s.report(ctx, token, nonce, "", events, end)
}

func (s *Store) report(ctx context.Context, token Token, nonce, ask, events, end string) (bool, error) {
	d, err := credentials(token, nonce)
	if err != nil {
		return false, err
	}
	v, err := s.step["report"].Run(ctx, "report on a job", d.token, d.nonce, ask, events, end, maxEvents)
	if err != nil {
		return false, err
	}
	word, _ := v.(string)
	return word == "cancelled", refusal(word)
}

// refusal is the error for a step's word.
func refusal(word string) error {
	switch word {
	case "ok", "cancelled":
		return nil
	case "void":
		return ErrVoid
	case "taken":
		return ErrTaken
	case "ended":
		return ErrEnded
	case "older":
		return ErrOlder
	}
	return fmt.Errorf("a step of the handoff answers %q", word)
}

// Live returns the jobs for which a worker waits now, each with the ARN of its task, "" while that is not known.
func (s *Store) Live(ctx context.Context) (map[string]string, error) {
	a, err := s.list(ctx, "live", "list the jobs in tasks")
	if err != nil {
		return nil, err
	}
	live := make(map[string]string, len(a)/2)
	for i := 0; i+1 < len(a); i += 2 {
		live[str(a, i)] = str(a, i+1)
	}
	return live, nil
}

// Lead takes or renews the lease of the one caller that reaps, for d, and reports whether the caller has it.
func (s *Store) Lead(ctx context.Context, holder string, d time.Duration) (bool, error) {
	v, err := s.step["lead"].Run(ctx, "hold the reaper's lease", holder, d.Milliseconds())
	n, _ := v.(int64)
	return n == 1, err
}

// list runs a step that answers with a list.
func (s *Store) list(ctx context.Context, step, what string, args ...any) ([]any, error) {
	v, err := s.step[step].Run(ctx, what, args...)
	a, _ := v.([]any)
	return a, err
}

// str is element i of a step's answer as a string, "" if there is none.
func str(a []any, i int) string {
	if i >= len(a) {
		return ""
	}
	s, _ := a[i].(string)
	return s
}

// num is element i as an integer.
func num(a []any, i int) int64 {
	if i >= len(a) {
		return 0
	}
	n, _ := a[i].(int64)
	return n
}
