// SPDX-License-Identifier: Apache-2.0

// Package submit is the one way by which a job comes onto the queue: Submit for one, Batch for several, Rerun for one that was
// submitted before, and Wait for the end of any. Whoever takes submissions from outside (the REST API today) decodes them, names
// the Principal, calls a Service, and translates the Admission or the Refusal into its own protocol.
//
// The package enforces the size limits, the tenant's quotas and rate windows, idempotency keys, and the budget of stored bytes, and
// audits what it refuses. It knows neither HTTP nor credentials: imports_test.go keeps net/http out of it. It does not judge whether a
// principal may read what a job printed.
package submit
