// SPDX-License-Identifier: Apache-2.0

package main

import (
	"maps"
	"regexp"
	"strings"
)

// segment is an activity of one thread: a system call, its own code between two of them, or its end.
type segment struct {
	who, what string
	at, end   float64 // us since the job's request
	cpu       float64 // us of it on a CPU
	faults    int     // page faults
}

// timeline makes segments of one job's events.
type timeline struct {
	who     map[int]string
	open    map[int]*segment
	running map[int]float64 // since when a thread has had a CPU
	done    []segment
	zero    float64
	answer  float64 // us since the request
}

// newTimeline begins one for threads that are known already.
func newTimeline(who map[int]string) *timeline {
	t := &timeline{who: map[int]string{}, open: map[int]*segment{}, running: map[int]float64{}}
	maps.Copy(t.who, who)
	return t
}

// own is the time between system calls.
const own = "own code"

var (
	forked   = regexp.MustCompile(`child_pid=(\d+)`)
	switched = regexp.MustCompile(`prev_pid=(\d+) .* next_pid=(\d+)`)
)

func (t *timeline) add(e event) {
	switch {
	case e.name == "tracing_mark_write" && e.text == "request":
		t.zero = e.us
	case e.name == "tracing_mark_write" && e.text == "answer":
		t.answer = e.us - t.zero
	case t.zero == 0: // before that, the threads' time belongs to no job
	case e.name == "sched_switch":
		m := switched.FindStringSubmatch(e.text)
		t.leave(number(m[1]), e.us)
		t.enter(number(m[2]), e.us)
	case e.name == "sched_process_fork":
		child := number(forked.FindStringSubmatch(e.text)[1])
		if t.who[child] = childOf[t.who[e.tid]]; t.who[child] == "" {
			t.who[child] = t.who[e.tid]
		}
	case e.name == "page_fault_user":
		t.at(e.tid, e.us).faults++
	case e.name == "sched_process_exit":
		t.become(e.tid, e.us, "exit", own)
	case strings.HasSuffix(e.name, "("):
		t.become(e.tid, e.us, strings.TrimPrefix(strings.TrimSuffix(e.name, "("), "sys_"), own)
	case strings.HasSuffix(e.name, "->"):
		t.become(e.tid, e.us, own, strings.TrimPrefix(strings.TrimSuffix(e.name, "->"), "sys_"))
	}
}

// childOf names a process after the one that started it. A new thread of another is that other.
var childOf = map[string]string{"spawner": "sandbox-init", "sandbox-init": "program", "program": "program"}

// at is the thread's segment; a thread that was not seen before runs its own code.
func (t *timeline) at(tid int, us float64) *segment {
	s, there := t.open[tid]
	if !there {
		s = &segment{who: t.who[tid], what: own, at: us}
		t.open[tid] = s
		t.enter(tid, us)
	}
	return s
}

// become ends the thread's segment and begins the next. What the ended one was is known only now for a thread that was in a system call
// from before the request.
func (t *timeline) become(tid int, us float64, what, was string) {
	if _, there := t.open[tid]; !there {
		t.at(tid, us).what = was
	}
	t.leave(tid, us)
	s := t.open[tid]
	s.end = us
	t.done = append(t.done, *s)
	t.open[tid] = &segment{who: t.who[tid], what: what, at: us}
	t.enter(tid, us)
}

func (t *timeline) enter(tid int, us float64) {
	if t.who[tid] != "" {
		t.running[tid] = us
	}
}

// leave counts the time that a thread has had a CPU.
func (t *timeline) leave(tid int, us float64) {
	since, there := t.running[tid]
	if !there {
		return
	}
	delete(t.running, tid)
	t.at(tid, since).cpu += us - since
}

// segments are all, in the order of their beginning, relative to the request.
func (t *timeline) segments() []segment {
	for tid, s := range t.open {
		if s.what == "exit" { // its last event was that it left its CPU
			s.end = s.at + s.cpu
			t.done = append(t.done, *s)
		}
		delete(t.open, tid)
	}
	for i := range t.done {
		t.done[i].at -= t.zero
		t.done[i].end -= t.zero
	}
	t.zero = 0
	return t.done
}
