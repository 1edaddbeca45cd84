// SPDX-License-Identifier: Apache-2.0

package queue

import (
	"context"
	"encoding/json"
	"strconv"
	"time"

	"github.com/ccee-dev/ccee/job"
)

// The bounds of a job's live events. The result has everything, so events may be lost.
const (
	eventsMax  = 2000             // entries, about
	eventsTTL  = 15 * time.Minute // after the last one
	eventsPage = 32               // entries read at once, of at most 32 KiB of output each
)

// LiveEvent is one entry of a job's live events.
type LiveEvent struct {
	ID      string // its place in the stream
	Attempt int
	job.Event
}

// Emit appends to the job's live events and notifies watchers. ErrLeaseLost means that the job is no longer the caller's.
func (l *Lease) Emit(ctx context.Context, events []job.Event) error {
	args := []any{seconds(eventsTTL), l.Attempt}
	for _, e := range events {
		b, err := json.Marshal(e)
		if err != nil {
			return job.Errorf(job.EInternal, "%s: %v", l.what("encode an event of"), err)
		}
		args = append(args, pack(b))
	}
	return l.end(ctx, l.q.steps.emit, "emit the events of", args...)
}

// LiveEvents returns the events of a job behind the one with the ID after ("": from the first that is kept). It does not check whose job
// it is: Get does.
func (q *Queue) LiveEvents(ctx context.Context, id, after string) ([]LiveEvent, error) {
	ctx, cancel := context.WithTimeout(ctx, opTimeout)
	defer cancel()
	from := "-"
	if after != "" {
		from = nextID(after)
	}
	msgs, err := q.rdb.XRangeN(ctx, q.keys.events(id), from, "+", eventsPage).Result()
	if err != nil {
		return nil, q.explain("read the events of job "+id, err)
	}
	events := make([]LiveEvent, 0, len(msgs))
	for _, m := range msgs {
		e := LiveEvent{ID: m.ID}
		e.Attempt, _ = strconv.Atoi(text(m.Values["attempt"]))
		_ = json.Unmarshal(unpack(text(m.Values["event"])), &e.Event) // a damaged one has no Type
		events = append(events, e)
	}
	return events, nil
}

// Watch returns a channel that gets a value when the job's state or events may have changed, one that is closed with the Queue, and the
// function that ends the watch. All watches of a Queue share one connection, and none polls.
func (q *Queue) Watch(id string) (changed <-chan struct{}, closed <-chan struct{}, stop func()) {
	c, stop := q.changes.watch(id)
	return c, q.changes.closed(), stop
}
