// SPDX-License-Identifier: Apache-2.0

package job

import (
	"errors"
	"fmt"
)

// Code classifies an Error for programs.
type Code string

// The codes. They are part of the daemon's protocol.
const (
	EInvalid     Code = "invalid"     // the request can never work as it is; HTTP 400
	ETooLarge    Code = "too_large"   // the body is larger than the bound; HTTP 413
	ENotFound    Code = "not_found"   // no such job, language or route; HTTP 404
	EConflict    Code = "conflict"    // a job of that id is running; HTTP 409
	EForbidden   Code = "forbidden"   // the peer may not use the socket; HTTP 403
	EBusy        Code = "busy"        // no capacity within the bounded wait; HTTP 503, try again
	EUnavailable Code = "unavailable" // not ready, draining, or out of reach; HTTP 503, try again
	ECancelled   Code = "cancelled"   // cancelled before it ran; HTTP 499
	EInternal    Code = "internal"    // our fault; HTTP 500
)

// Error is a refusal or fault on the wire: {"error":{"code","field","message"}}.
type Error struct {
	Code    Code   `json:"code"`
	Field   string `json:"field,omitempty"` // the member at fault, for EInvalid
	Message string `json:"message"`         // a sentence for people: the fault and the remedy
}

func (e *Error) Error() string {
	if e.Field != "" {
		return e.Field + " " + e.Message
	}
	return e.Message
}

// Invalid returns an Error with code EInvalid for a member; the message reads on from the member's name.
func Invalid(field, format string, args ...any) *Error {
	return &Error{Code: EInvalid, Field: field, Message: fmt.Sprintf(format, args...)}
}

// Errorf returns an Error with that code.
func Errorf(code Code, format string, args ...any) *Error {
	return &Error{Code: code, Message: fmt.Sprintf(format, args...)}
}

// ErrorCode returns the code of the first *Error in err's chain, "" for nil, EInternal for any other error.
func ErrorCode(err error) Code {
	var e *Error
	switch {
	case err == nil:
		return ""
	case errors.As(err, &e):
		return e.Code
	default:
		return EInternal
	}
}
