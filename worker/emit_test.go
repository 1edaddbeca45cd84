// SPDX-License-Identifier: Apache-2.0

package worker

import (
	"bytes"
	"context"
	"testing"

	"github.com/ccee-dev/ccee/e2e/patience"
	"github.com/ccee-dev/ccee/e2e/redistest"
	"github.com/ccee-dev/ccee/job"
	"github.com/ccee-dev/ccee/queue"
)

func printed(offset int64, data []byte) job.Event {
	return job.Event{Type: job.EventStdout, Step: "run", Offset: offset, Data: data}
}

// A job that goes on tells what it does while it runs.
func TestLiveEvents(t *testing.T) {
	q := open(t, redistest.New(t), queue.Options{})
	heard := make(chan struct{})
	startWorker(t, q, fake{stream: func(ctx context.Context, s job.Spec, on func(job.Event)) (job.Result, error) {
		on(job.Event{Type: job.EventStarted, Step: "run"})
		on(printed(0, []byte("one")))
		on(printed(3, []byte(" two")))
		<-heard // it ends when it was heard
		return good(s), nil
	}}, Options{})
	id := enqueue(t, q)
	changed, _, stop := q.Watch(id)
	defer stop()
	var events []queue.LiveEvent
	for len(events) == 0 {
		patience.Receive(t, changed, "news of the job")
		var err error
		if events, err = q.LiveEvents(t.Context(), id, ""); err != nil {
			t.Fatal(err)
		}
	}
	close(heard)
	wantEnd(t, q, id, queue.Succeeded)
	if len(events) != 2 || events[0].Type != job.EventStarted || string(events[1].Data) != "one two" || events[1].Attempt != 1 {
		t.Errorf("events %+v, want started and one piece of output", events)
	}
	if more, err := q.LiveEvents(t.Context(), id, events[1].ID); err != nil || len(more) != 0 {
		t.Errorf("behind the last: %v, %v", more, err)
	}
}

// A flood that is not told fast enough is bounded, and what is told are whole pieces at their places.
func TestEmitterIsBounded(t *testing.T) {
	var e emitter
	piece := bytes.Repeat([]byte("x"), 1000)
	for i := range 10_000 {
		e.add(printed(int64(i*len(piece)), piece))
	}
	e.add(job.Event{Type: job.EventResult})
	e.add(job.Event{Type: job.EventExited, Step: "run"})
	events := e.take()
	total, at := 0, int64(0)
	for _, ev := range events[:len(events)-1] {
		if ev.Offset != at || len(ev.Data) > emitChunk {
			t.Errorf("a piece of %d bytes at %d, want one at %d of at most %d", len(ev.Data), ev.Offset, at, emitChunk)
		}
		total += len(ev.Data)
		at += int64(len(ev.Data))
	}
	if total > emitBuffer || total < emitBuffer-2*len(piece) || len(events) > emitBuffer/emitChunk+3 || events[len(events)-1].Type != job.EventExited {
		t.Errorf("%d bytes in %d events, the last %s; want about %d bytes and the end of the step", total, len(events), events[len(events)-1].Type, emitBuffer)
	}
	if e.take() != nil || e.bytes != 0 {
		t.Error("it was taken twice")
	}
}

// The caller's buffer is its own again after add.
func TestEmitterCopies(t *testing.T) {
	var e emitter
	buf := []byte("abc")
	e.add(printed(0, buf))
	copy(buf, "xyz")
	e.add(printed(3, buf))
	copy(buf, "???")
	if ev := e.take(); len(ev) != 1 || string(ev[0].Data) != "abcxyz" {
		t.Errorf("events %+v", ev)
	}
}
