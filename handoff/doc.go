// SPDX-License-Identifier: Apache-2.0

// Package handoff is the exchange, kept in Redis, between a worker and a process elsewhere, an ECS task, that runs one job and can reach
// nothing but the api.
//
//	worker                        Redis                    api <--HTTPS-- task
//	Offer(job) -> token, number   the job, under the token's digest
//	                                                       Take(token, nonce) -> the job
//	Next() <- events, silence     events                   Report(token, nonce, events) -> cancelled?
//	Cancel()                      cancelled
//	Next() <- the end             the end                  Report(token, nonce, result)
//	Drop()                        nothing
//
// # Tokens
//
// A token has 256 random bits; Redis has only its SHA-256, so who reads Redis can't play a task. It is good for one job, and void after
// Drop, after another Offer of the job (fencing: whatever an older task sends is refused), and when no worker has asked for news for
// offerTTL. The first Take binds it to the caller's nonce, random too, which never leaves that process but to the api: the same process may
// ask again when an answer is lost; nobody else gets the job, sends events or gives a result, even with the token. The token stands in the
// task's environment, which whoever may call DescribeTasks can read; the nonce doesn't. The job leaves Redis with the first report.
//
// An Offer of an older attempt than the latest is refused, so a worker that lost its lease can't void its successor's task.
//
// # Keys
//
// All begin with queue:<q>:handoff: and expire.
//
//	job:<id>         hash: number of the job's latest offer, its attempt, its digest, its task
//	offer:<digest>   hash: job, spec until the first report, nonce's digest, times of the first and the latest call (ms), cancelled, end
//	events:<digest>  list: batches of events, JSON
//	live             zset: ids of jobs for which a worker asks for news, by the time until which that counts (ms)
//	reaper           string: who reaps; a lease
//
// It knows neither HTTP nor AWS.
package handoff
