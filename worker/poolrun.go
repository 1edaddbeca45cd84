// SPDX-License-Identifier: Apache-2.0

package worker

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"

	"github.com/ccee-dev/ccee/job"
)

const (
	// mostRuns is how often a job is begun under one lease: a daemon that died with it may have died of it.
	mostRuns = 2
	// mostRefusals is how many daemons may have a job wait for room, one after the other, before it is handed back to the queue.
	mostRefusals = 3
)

func randomBelow(n int) int { return rand.IntN(n) }

// sentence joins reasons.
func sentence(reasons []string) string {
	if len(reasons) == 0 {
		return "there is none"
	}
	const most = 5
	if n := len(reasons); n > most {
		return strings.Join(reasons[:most], "; ") + fmt.Sprintf("; and %d more", n-most)
	}
	return strings.Join(reasons, "; ")
}

// next is what a pool does with a job that a daemon did not run to its end.
type next int

const (
	giveBack   next = iota // the answer is the job's
	elsewhere              // another daemon, at once
	whileFull              // another one, this one has no room
	afterBreak             // another one; this one may have begun the job, and is left out
	withoutIt              // another one; this one has not begun the job, and is left out
)

// nextAfter decides by a daemon's error. attempt is the job's, from 1; runs how many daemons may have begun it under this lease, refusals
// how many had no room.
//
// A job may have killed the daemon that broke off with it. Another one is tried under the same lease, and costs no attempt, only on
// the job's first attempt: so a job that kills daemons ends after one more of them than it has attempts.
func nextAfter(err error, attempt, runs, refusals int) next {
	var e *job.Error
	errors.As(err, &e)
	switch code := job.ErrorCode(err); {
	case errors.Is(err, ErrBroken) && (attempt > 1 || runs >= mostRuns):
		return giveBack
	case errors.Is(err, ErrBroken):
		return afterBreak
	case code == job.EBusy && refusals+1 >= mostRefusals:
		return giveBack
	case code == job.EBusy:
		return whileFull
	case code == job.EUnavailable, code == job.EForbidden: // it is unreachable, drains, or does not know this worker
		return withoutIt
	case code == job.EConflict: // it still has the job that a cut connection left there
		return elsewhere
	case code == job.EInvalid && e != nil && (e.Field == "language" || e.Field == "checker"): // it no longer has the image
		return elsewhere
	}
	return giveBack
}

// Run runs the job on one of the daemons, and on another one as nextAfter says.
func (p *Pool) Run(ctx context.Context, spec job.Spec, on func(job.Event)) (job.Result, error) {
	tried := map[*member]bool{}
	var last, broken error
	for runs, refusals := 0, 0; ; {
		m, need, err := p.pick(&spec, tried)
		if m == nil {
			return job.Result{}, p.nobody(err, last, broken)
		}
		res, err := p.runOn(ctx, m, need, spec, on)
		if err == nil || ctx.Err() != nil {
			return res, err
		}
		tried[m], last = true, err
		switch nextAfter(err, spec.Attempt, runs+1, refusals) {
		case giveBack:
			m.check()
			return res, err
		case afterBreak:
			runs, broken = runs+1, err
			m.leaveOut(err)
		case withoutIt:
			m.leaveOut(err)
		case whileFull:
			refusals++
			m.full()
		}
	}
}

// runOn runs the job on a daemon.
func (p *Pool) runOn(ctx context.Context, m *member, need room, spec job.Spec, on func(job.Event)) (job.Result, error) {
	release := m.reserve(need)
	defer release()
	res, err := m.daemon.Run(ctx, spec, on)
	p.metrics.ended(m.address, err)
	return res, err
}

// nobody is the error for a job that no daemon, or no further one, can have. If one may have begun it, that one's error decides.
func (p *Pool) nobody(why, last, broken error) error {
	switch code := job.ErrorCode(last); {
	case broken != nil:
		return broken
	case last == nil:
		return why
	case code == job.EForbidden, code == job.EConflict: // which would cost an attempt
		return job.Errorf(job.EUnavailable, "no other daemon of the pool can have the job: %v", last)
	}
	return last
}

// pick chooses among the daemons that have not been tried, and returns the room that the job takes there; nil with the reason if there is
// none.
func (p *Pool) pick(spec *job.Spec, tried map[*member]bool) (*member, room, error) {
	var open []*member
	var all []candidate
	var reasons []string
	allFull := true
	languages, _ := p.Languages(context.Background())
	need := needOf(spec, languages)
	for _, m := range p.list() {
		if tried[m] {
			continue
		}
		c, full, why := m.offer(spec)
		if why != nil {
			allFull = allFull && full
			reasons = append(reasons, m.address+": "+why.Error())
			continue
		}
		open, all = append(open, m), append(all, c)
	}
	i := choose(all, need, p.opts.below)
	switch {
	case i >= 0:
		return open[i], need, nil
	case allFull && len(reasons) > 0:
		return nil, need, job.Errorf(job.EBusy, "no daemon of the pool has room: %s", sentence(reasons))
	}
	return nil, need, job.Errorf(job.EUnavailable, "no daemon of the pool can run the job: %s", sentence(reasons))
}
