// SPDX-License-Identifier: Apache-2.0

// Package queue is the job queue on Redis: it admits jobs under the tenants' quotas, gives each to one worker at a time, and keeps how it
// ended. It is the only package that talks to Redis.
//
// # Files
//
//	submit.go, claim.go, lease.go, events.go   the life of a job: admission, claim, lease and end, live events
//	dispatch.go                                where a remote backend runs a job
//	read.go, look.go, history.go, record.go    stored jobs: one, a bounded one, pages of them, and their fields
//	tenant.go, stored.go, memory.go            limits of requests, usage and costs, stored bytes, Redis's memory
//	audit.go                                   the audit trail and its hash chain
//	webhook.go, analysis.go, archive.go        deliveries, analyses and a model's budget, the hand-over to the archive
//	fleet.go, counts.go, activity.go, dead.go  workers and languages, numbers of jobs, dead letters
//	keys.go, steps.go, link.go, lua/           all keys; the scripts, and how they get what they share
//	batch.go, listener.go, pack.go             commands sent together, pub/sub, compression
//	space.go                                   keys and steps of another package, such as handoff
//
// All of them are methods of one Queue: a step of one subject writes the keys of others (the end of a job writes its cost, its audit, its
// webhook and its place in the archive's list, as a whole or not at all), so packages for each would have to export the keys, the scripts
// and the library to each other, and a reader would have to know all of them to follow one step.
//
// A job has four forms here: a Submission is what the caller gives, with quotas and limits that are not stored; a Lease is what a worker
// gets; a Record is what readers get, with damaged fields as zero; Stored is all fields as they are, for the archive, which must lose
// nothing.
//
// # Roles
//
// The API calls Submit, Get, History, Wait, Cancel, Rate, Usage, Costs, Events, Fleet and Sweep. A worker calls Claim, and on the Lease
// that it gets Keep while the job runs, then one of Complete, Retry, Fail and Release. There is no scheduler process and no reaper: each
// Claim first puts back the due jobs, and so does Sweep where no worker claims.
//
// # Steps
//
// Each change is one Lua script, so it happens as a whole or not at all, and two of them never interleave. keyTable in keys.go lists all
// keys; lua/lib.lua and lua/lib_jobs.lua have what several scripts share; each script says what it takes and returns. Scripts use Redis's
// clock alone.
//
//	           submit             claim               complete
//	(nothing) --------> queued ------------> running ----------> succeeded | failed | cancelled
//	                      ^  \ cancel          |  |  \ fail, or the last attempt's retry or expiry
//	                      |   `-> cancelled    |  |   `--------> failed (+ dead-letter list)
//	              release |                    |  |
//	                      +--------------------+  | retry (after a delay), lease expired (at once)
//	                      ^                       v
//	                      +------------------- retrying ---- cancel ----> cancelled
//
// # Scripts
//
// A step is one EVALSHA, with what it uses of the library in front (link.go). Redis 7 has function libraries (FUNCTION LOAD), which would
// need no linker. They are not used because: a library has one name in the whole server, so during an upgrade the new processes would
// replace the steps of the old ones, or each version would have to remove the libraries of the others, while a script is named by its
// text and both run side by side; names and Options are part of the text, so two queues in one Redis would need two libraries anyway;
// they stay in the AOF and on replicas until somebody deletes them; loading them takes rights (ACL +function|load) that a managed Redis
// may not give; and Redis 6, ElastiCache 6.x for one, has none. What they would give: no NOSCRIPT after a failover, which costs one EVAL
// a script (Queue.run), and an allow-oom flag instead of ignoreOOM.
//
// # Leases
//
// A claimed job belongs to its worker until the lease expires; Keep renews it at a third of its length. Each claim of a job gets the next
// number (field "claims"), and a write names its number: a worker that was taken for dead changes nothing when it comes back
// (ErrLeaseLost). The number is the fencing token; it equals the attempt except after Release, which gives the attempt back but never the
// number. So a job may run twice, but has one result, frees its quota slot once and is billed once.
//
// Only faults of ours are retried, with a growing delay; a program that fails is a result. After the last attempt the job fails and its
// id goes to the dead-letter list. A stored job that can't be read goes there at once.
//
// # Languages
//
// Jobs wait by language, and Claim claims only those of its Claimer's languages: jobs that no worker can run delay no others. What can be
// submitted and who can run it now are two facts (Fleet). Sweep, which needs no worker, fails jobs that have waited too long for a
// language that no worker offers.
//
// # Fairness
//
// Each tenant has its own queues, ordered by priority and age; a retried job returns to its old place. Among tenants Claim does
// start-time fair queuing (claim.lua): of two tenants with waiting jobs each gets every second start, however many jobs the
// other has queued, and a tenant that comes back is next but gets nothing for the time before. The shares are of starts, not of
// run time. Priorities order a tenant's own jobs only: with priorities across tenants everybody would choose "high".
//
// # Waking
//
// An idle worker blocks in BLPOP on one token for each of its languages, and one for deadlines, until there may be work, or until the
// next lease expiry or retry is due; both are known. A token is lost with a worker that dies right after taking it, so no wait is longer
// than 5 s. Wait and Keep are notified of ends and cancellations by pub/sub, which may lose messages: both read the hash again after each
// reconnection, and Keep at each renewal.
//
// # Request limits
//
// Of a tenant's requests, submissions and redeliveries at most a limit is admitted in any window of a length: the window slides
// (countRequest in lib.lua). A window that begins by the clock lets twice the limit through around its edge. A token bucket (GCRA) of
// that size does so too: a full bucket, and what flows in meanwhile; one that doesn't lets through half the limit later on. So the times
// of the admitted requests are kept. Above rateSteps those of one part of the window stand together under the time of the last: a tenant
// takes at most some 1,300 bytes a limit, and a place is free again at most one part late, never early. RetryAfter says exactly when.
//
// # Memory
//
// The bytes that a tenant's jobs take are counted in the steps that change them (recountStored in lib.lua) and bounded at Submit. The
// count is not a sum of changes: each step counts the job again, and once more when the job should have expired. Submit admits nothing
// when Redis's memory is nearly used up (ErrFull). A full Redis refuses a step's first write, if that needs memory; the steps that end
// something begin with one that doesn't (ignoreOOM), so they succeed.
//
// # Redis
//
// One primary (with or without replicas and Sentinel), version 6 or later. Redis Cluster is not supported: a claim uses the keys of
// whichever tenant is next, so they can't be declared or share a hash slot. Use appendonly yes, maxmemory and maxmemory-policy
// noeviction. An unfinished job has no expiry, so even a volatile-* policy can't evict it; quotas bound how many there are, and what they
// take. A finished one is kept for JobTTL with its source, a dead-lettered one for DeadLetterTTL. Source and input are stored once, in
// the job's hash; the queues hold ids.
//
// While Redis is unreachable a call returns an error within a few seconds that says what was tried on which address. Submit and Complete
// may be repeated: they know the id, or the claim, and change nothing the second time.
package queue
