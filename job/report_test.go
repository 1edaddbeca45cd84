// SPDX-License-Identifier: Apache-2.0

package job

import (
	"strings"
	"testing"
)

func TestReportCheck(t *testing.T) {
	zero, one := 0, 1
	good := func(change func(*Result)) Report {
		r := Result{Status: Succeeded, Verdict: Exited, ExitCode: &zero, WallMs: 1, Tier: "task"}
		change(&r)
		return Report{Result: &r}
	}
	event := func(ev Event) Report { return Report{Events: []Event{ev}} }
	for name, tt := range map[string]struct {
		r    Report
		want string // in the error, "" for none
	}{
		"heartbeat":       {Report{}, ""},
		"result":          {good(func(*Result) {}), ""},
		"timed out":       {good(func(r *Result) { r.Status, r.Verdict, r.ExitCode = Failed, WallTime, nil }), ""},
		"error":           {Report{Error: &Error{Code: EBusy}}, ""},
		"interrupted":     {Report{Interrupted: true}, ""},
		"two ends":        {Report{Interrupted: true, Error: &Error{Code: EBusy}}, "another end"},
		"no such code":    {Report{Error: &Error{Code: "x"}}, "code"},
		"no final status": {good(func(r *Result) { r.Status = "running" }), "status"},
		"forged success":  {good(func(r *Result) { r.ExitCode = &one }), "did not exit with 0"},
		"no verdict":      {good(func(r *Result) { r.Verdict = "" }), "verdict"},
		"tier":            {good(func(r *Result) { r.Tier = "a b" }), "tier"},
		"many steps":      {good(func(r *Result) { r.Steps = make([]Step, 100) }), "steps"},
		"negative time":   {good(func(r *Result) { r.WallMs = -1 }), "negative"},
		"output":          {event(Event{Type: EventStdout, Step: "run", Data: []byte{0xff}}), ""},
		"many events":     {Report{Events: make([]Event, MaxReportEvents+1)}, "entries"},
		"large event":     {event(Event{Type: EventStdout, Data: make([]byte, MaxReportData+1)}), "bytes"},
		"event's result":  {event(Event{Type: EventExited, Result: &Result{}}), "end of the job"},
		"result event":    {event(Event{Type: EventResult}), "event"},
		"step's name":     {event(Event{Type: EventStarted, Step: strings.Repeat("x", 200)}), "name"},
		"negative offset": {event(Event{Type: EventStdout, Offset: -1}), "negative"},
	} {
		err := tt.r.Check()
		if (err == nil) != (tt.want == "") || err != nil && (!strings.Contains(err.Error(), tt.want) || ErrorCode(err) != EInvalid) {
			t.Errorf("%s: Check = %v, want an error with %q", name, err, tt.want)
		}
	}
}
