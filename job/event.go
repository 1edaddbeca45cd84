// SPDX-License-Identifier: Apache-2.0

package job

// EventType is the kind of an Event.
type EventType string

// The events of a job, in the order they come: for each step started, any number of stdout and stderr, exited; then one
// result, or one error instead of all that would follow.
const (
	EventStarted EventType = "started" // Step began
	EventStdout  EventType = "stdout"  // Data was written, as far as it is kept
	EventStderr  EventType = "stderr"
	EventExited  EventType = "exited" // Step ended: Verdict, ExitCode, Signal
	EventTest    EventType = "test"   // Test ended: Verdict, and Message as Data
	EventResult  EventType = "result" // the job ended: Result
	EventError   EventType = "error"  // the job could not be run: Error

	// EventDispatched comes from a remote backend alone, never over a wire: Dispatch.
	EventDispatched EventType = "dispatched"
)

// Event is one line of the daemon's NDJSON stream.
type Event struct {
	Type     EventType `json:"event"`
	Step     string    `json:"step,omitempty"`
	Test     int       `json:"test,omitempty"`   // the number of its test, from 1; 0: of none
	AtMs     float64   `json:"atMs"`             // since the job began
	Data     []byte    `json:"data,omitempty"`   // base64 in JSON: a chunk may end inside a character
	Offset   int64     `json:"offset,omitempty"` // of Data in its stream: tails come at the end, after a gap
	Verdict  Verdict   `json:"verdict,omitempty"`
	ExitCode *int      `json:"exitCode,omitempty"`
	Signal   string    `json:"signal,omitempty"`
	Result   *Result   `json:"result,omitempty"`
	Error    *Error    `json:"error,omitempty"`
	Dispatch *Dispatch `json:"-"`
}
