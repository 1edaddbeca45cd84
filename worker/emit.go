// SPDX-License-Identifier: Apache-2.0

package worker

import (
	"context"
	"sync"
	"time"

	"github.com/ccee-dev/ccee/job"
	"github.com/ccee-dev/ccee/queue"
)

// The intervals and bounds of live events. A job that ends before the first interval emits none: its result has everything.
const (
	emitFirst  = 100 * time.Millisecond // after the job's start
	emitEvery  = 50 * time.Millisecond
	emitBuffer = 512 << 10 // bytes of output that wait to be emitted; what does not fit is only in the result
	emitChunk  = 32 << 10  // bytes of one event
)

// emitter writes a job's live events. It never makes the job wait.
type emitter struct {
	lease *queue.Lease

	mu     sync.Mutex // guards the rest
	events []job.Event
	bytes  int
}

// add queues an event. Output that continues the last queued event is appended to that.
func (e *emitter) add(ev job.Event) {
	if ev.Type == job.EventResult || ev.Type == job.EventError || ev.Test != 0 && ev.Type != job.EventTest {
		return // the output of tests is only in the result
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.bytes+len(ev.Data) > emitBuffer {
		return
	}
	e.bytes += len(ev.Data)
	if n := len(e.events); n > 0 && len(ev.Data) > 0 {
		last := &e.events[n-1]
		if last.Type == ev.Type && last.Step == ev.Step && last.Test == ev.Test && last.Offset+int64(len(last.Data)) == ev.Offset && len(last.Data)+len(ev.Data) <= emitChunk {
			last.Data = append(last.Data, ev.Data...)
			return
		}
	}
	ev.Data = append([]byte(nil), ev.Data...)
	e.events = append(e.events, ev)
}

// take returns the queued events and empties the queue.
func (e *emitter) take() []job.Event {
	e.mu.Lock()
	defer e.mu.Unlock()
	events := e.events
	e.events, e.bytes = nil, 0
	return events
}

// run emits events until ctx ends. What can't be emitted, while Redis is unreachable, is dropped: the result will have it.
func (e *emitter) run(ctx context.Context) {
	t := time.NewTimer(emitFirst)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-t.C:
		}
		if events := e.take(); len(events) > 0 {
			_ = e.lease.Emit(ctx, events)
		}
		t.Reset(emitEvery)
	}
}
