// SPDX-License-Identifier: Apache-2.0

package task

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/ccee-dev/ccee/job"
)

// The intervals and bounds of reports.
const (
	reportEvery = 200 * time.Millisecond // while there are events
	beatEvery   = 2 * time.Second        // while there are none
	maxWaiting  = 2 << 20                // bytes of output that wait to be reported; what does not fit is only in the result
	maxBatch    = 512 << 10              // bytes of output in one report: in base64 it fits into the api's bound
)

// errCancelled is the cause of a job that the api asks to end.
var errCancelled = errors.New("the job is cancelled")

// pump reports what the job does, and that it lives. It never makes the job wait.
type pump struct {
	exchange *Exchange
	cancel   func(error) // ends the job

	mu      sync.Mutex // guards the rest
	events  []job.Event
	waiting int // bytes
}

// add queues an event of the daemon for the next report.
func (p *pump) add(ev job.Event) {
	if ev.Type == job.EventResult || ev.Type == job.EventError {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.waiting+len(ev.Data) > maxWaiting {
		return
	}
	p.waiting += len(ev.Data)
	data := append([]byte(nil), ev.Data...)
	for len(data) > job.MaxReportData {
		part := ev
		part.Data, data = data[:job.MaxReportData], data[job.MaxReportData:]
		ev.Offset += job.MaxReportData
		p.events = append(p.events, part)
	}
	ev.Data = data
	p.events = append(p.events, ev)
}

// take removes the first queued events, as many as one report may have.
func (p *pump) take() []job.Event {
	p.mu.Lock()
	defer p.mu.Unlock()
	n, size := 0, 0
	for n < len(p.events) && n < job.MaxReportEvents && size+len(p.events[n].Data) <= maxBatch {
		size += len(p.events[n].Data)
		n++
	}
	batch := p.events[:n:n]
	p.events, p.waiting = p.events[n:], p.waiting-size
	return batch
}

// run reports until ctx ends. Events of a report that fails are lost: the result has everything.
func (p *pump) run(ctx context.Context) {
	beat := time.Now()
	timer := time.NewTimer(reportEvery)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		}
		if events := p.take(); len(events) > 0 || time.Since(beat) >= beatEvery {
			beat = time.Now()
			cancelled, err := p.exchange.Events(ctx, events)
			switch {
			case errors.Is(err, ErrVoid):
				p.cancel(err)
				return
			case cancelled:
				p.cancel(errCancelled)
				return
			}
		}
		timer.Reset(reportEvery)
	}
}
