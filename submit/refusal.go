// SPDX-License-Identifier: Apache-2.0

package submit

import (
	"errors"
	"fmt"

	"github.com/ccee-dev/ccee/queue"
)

// Code says why a submission was refused. A front end maps it to its protocol's own.
type Code string

// The codes.
const (
	RateLimited       Code = "rate_limited"        // the window of requests; Refusal.Rate
	SubmitRateLimited Code = "submit_rate_limited" // the window of submissions; Refusal.Rate
	QuotaExceeded     Code = "quota_exceeded"      // Refusal.Quota
	TooLarge          Code = "payload_too_large"   // Refusal.Size
	KeyReused         Code = "idempotency_key_reused"
	StorageFull       Code = "storage_full"      // Redis has little memory left
	NoRuntimes        Code = "no_runtimes"       // no language can be submitted
	NotFound          Code = "not_found"         // the job to run again
	Unavailable       Code = "queue_unreachable" // Refusal.Err says why
)

// Refusal is the error of a submission that was not admitted.
type Refusal struct {
	Code  Code
	Rate  queue.Rate        // the state of the window that is full
	Quota *queue.QuotaError // which quota, and what is used of it
	Size  *Size
	Err   error // the cause, for logs
}

// Size is a text that has too many bytes.
type Size struct {
	Index    int    // of the submission in its batch
	Field    string // sourceCode or stdin
	Bytes    int
	MaxBytes int
}

func (r *Refusal) Error() string {
	if r.Size != nil {
		return fmt.Sprintf("submit: %s has %d bytes, %d are allowed", r.Size.Field, r.Size.Bytes, r.Size.MaxBytes)
	}
	return fmt.Sprintf("submit: %s: %v", r.Code, r.Err)
}

func (r *Refusal) Unwrap() error { return r.Err }

// refuse gives the queue's error its code; nil stays nil.
func refuse(err error) error {
	var rate *queue.RateError
	var quota *queue.QuotaError
	var refused *Refusal
	switch {
	case err == nil:
		return nil
	case errors.As(err, &refused):
		return refused
	case errors.As(err, &rate) && rate.Kind == queue.Requests:
		return &Refusal{Code: RateLimited, Rate: rate.Rate, Err: err}
	case errors.As(err, &rate):
		return &Refusal{Code: SubmitRateLimited, Rate: rate.Rate, Err: err}
	case errors.As(err, &quota):
		return &Refusal{Code: QuotaExceeded, Quota: quota, Err: err}
	case errors.Is(err, queue.ErrKeyReused):
		return &Refusal{Code: KeyReused, Err: err}
	case errors.Is(err, queue.ErrFull):
		return &Refusal{Code: StorageFull, Err: err}
	case errors.Is(err, queue.ErrNotFound):
		return &Refusal{Code: NotFound, Err: err}
	case errors.Is(err, ErrNoRuntimes):
		return &Refusal{Code: NoRuntimes, Err: err}
	}
	return &Refusal{Code: Unavailable, Err: err}
}

// CodeOf returns the code of a Service's error: "" for nil, Unavailable for an error that is no Refusal.
func CodeOf(err error) Code {
	var refused *Refusal
	switch {
	case err == nil:
		return ""
	case errors.As(err, &refused):
		return refused.Code
	}
	return Unavailable
}
