// SPDX-License-Identifier: Apache-2.0

package api

import "net/http"

// Errors below the application have a shape of their own, without a trace id in the body: that of the web framework under
// the original (Fastify). Clients tell the two kinds apart by statusCode.

// notFoundBody is the answer for an unknown route or method.
type notFoundBody struct {
	Message    string `json:"message"`
	Error      string `json:"error"`
	StatusCode int    `json:"statusCode"`
}

// frameworkError is the answer for a body that can't be read, and for our own faults.
type frameworkError struct {
	StatusCode int    `json:"statusCode"`
	Code       string `json:"code,omitempty"`
	Error      string `json:"error"`
	Message    string `json:"message"`
}

func newFrameworkError(status int, code, message string) *frameworkError {
	return &frameworkError{StatusCode: status, Code: code, Error: reasonPhrase(status), Message: message}
}

// reasonPhrase is Node's text for a status, which differs from Go's for 413.
func reasonPhrase(status int) string {
	if status == http.StatusRequestEntityTooLarge {
		return "Payload Too Large"
	}
	return http.StatusText(status)
}

// notFound answers that there is no such route. The message has the request's target as it was sent, with its query.
func (c *call) notFound() {
	c.json(http.StatusNotFound, notFoundBody{
		Message:    "Route " + c.r.Method + ":" + c.r.RequestURI + " not found",
		Error:      reasonPhrase(http.StatusNotFound),
		StatusCode: http.StatusNotFound,
	})
}

// framework answers with e.
func (c *call) framework(e *frameworkError) { c.json(e.StatusCode, e) }

// fault answers that the service has a fault. Only the log has the cause: its text would tell an attacker about the inside.
func (c *call) fault() {
	c.framework(newFrameworkError(http.StatusInternalServerError, "", "internal error; the log has it under this x-request-id"))
}
