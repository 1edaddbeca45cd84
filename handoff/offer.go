// SPDX-License-Identifier: Apache-2.0

package handoff

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/ccee-dev/ccee/job"
)

// Offer is a job that waits for a task, or runs in one: the worker's end of the exchange.
type Offer struct {
	Token  Token
	Number int64 // 1 for the job's first offer, and one more for each further one

	store  *Store
	job    string
	digest string
}

// Offer offers a job to whoever has the token that it returns. Older offers of the job become void. ErrOlder means that there is one of a
// later attempt.
func (s *Store) Offer(ctx context.Context, spec job.Spec) (*Offer, error) {
	b, err := json.Marshal(spec)
	if err != nil {
		return nil, fmt.Errorf("encode job %s: %w", spec.ID, err)
	}
	o := &Offer{Token: newToken(), store: s, job: spec.ID}
	o.digest = digest(string(o.Token))
	a, err := s.list(ctx, "offer", "offer job "+spec.ID, spec.ID, spec.Attempt, o.digest, b,
		offerTTL.Milliseconds(), liveTTL.Milliseconds(), numberTTL.Milliseconds())
	if err != nil {
		return nil, err
	}
	o.Number = num(a, 1)
	return o, refusal(str(a, 0))
}

// News is what has become of an offer since the last Next.
type News struct {
	Taken  bool          // a task has the job
	Silent time.Duration // since the task last called, or, if none ever did, since the offer
	Events []job.Event
	End    *job.Report // the last one; nil: the job has not ended
}

// Next returns what is new, at once. The worker calls it when Changed says so, and at least every few seconds: that keeps the offer alive.
// ErrVoid means that there is another offer of the job, or that nobody called Next for too long.
func (o *Offer) Next(ctx context.Context) (News, error) {
	a, err := o.store.list(ctx, "next", "ask for news of job "+o.job, o.digest, o.job, offerTTL.Milliseconds(), liveTTL.Milliseconds())
	if err != nil {
		return News{}, err
	}
	if err := refusal(str(a, 0)); err != nil {
		return News{}, err
	}
	n := News{Taken: num(a, 1) == 1, Silent: time.Duration(num(a, 2)) * time.Millisecond}
	if end := str(a, 3); end != "" {
		n.End = new(job.Report)
		if err := json.Unmarshal([]byte(end), n.End); err != nil || n.End.Check() != nil || !n.End.Last() {
			return n, fmt.Errorf("the end of job %s in Redis can't be read", o.job)
		}
	}
	for i := 4; i < len(a); i++ {
		var events []job.Event
		if json.Unmarshal([]byte(str(a, i)), &events) == nil { // else: live events may be lost
			n.Events = append(n.Events, events...)
		}
	}
	return n, nil
}

// Changed returns a channel that gets a value when Next may have news, and the function that ends that.
func (o *Offer) Changed() (<-chan struct{}, func()) { return o.store.space.Watch(o.digest) }

// Launched records the task that was started for the offer, for the reaper.
func (o *Offer) Launched(ctx context.Context, taskARN string) error {
	return o.set(ctx, "record the task of job ", "task", taskARN)
}

// Cancel asks the task to end the job.
func (o *Offer) Cancel(ctx context.Context) error {
	return o.set(ctx, "cancel the task of job ", "cancelled", "1")
}

func (o *Offer) set(ctx context.Context, what, field, value string) error {
	v, err := o.store.step["set"].Run(ctx, what+o.job, o.digest, o.job, field, value)
	if err != nil {
		return err
	}
	word, _ := v.(string)
	return refusal(word)
}

// Drop makes the token void and forgets the offer.
func (o *Offer) Drop(ctx context.Context) error {
	_, err := o.store.step["drop"].Run(ctx, "drop the offer of job "+o.job, o.digest, o.job)
	return err
}
