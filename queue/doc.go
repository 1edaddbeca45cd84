// Package queue is the job queue on Redis: it admits jobs under the tenants' quotas, hands each to one worker at a time, and
// keeps what became of it. It is the only package that talks to Redis.
//
// # Roles
//
// The API calls Submit, Get, History, Wait, Cancel, Rate, Usage, Costs, Events, Fleet and Sweep. A worker calls Claim, and on the Lease that it gets
// Keep while the job runs, then one of Complete, Retry, Fail and Release. Nobody else is needed: there is no scheduler process and
// no reaper, as each Claim first puts back what is due, and so does Sweep where nobody claims.
//
// # Steps
//
// Each change is one Lua script, so it happens as a whole or not at all, and two of them never interleave. keyTable in keys.go lists all keys;
// lua/lib.lua has what several scripts share; each script says what it takes and returns. Scripts use Redis's clock alone.
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
// A step is one EVALSHA, with what it uses of the library in front (link.go). Redis 7 has function libraries (FUNCTION LOAD), which would need no
// linker. They are not used because: a library has one name in the whole server, so during an upgrade the new processes would replace the steps of the
// old ones, or each version would have to remove the libraries of the others, while a script is named by its text and both run side by side; names
// and Options are part of the text, so two queues in one Redis would need two libraries anyway; they stay in the AOF and on replicas until somebody
// deletes them; loading them takes rights (ACL +function|load) that a managed Redis may not give; and Redis 6, ElastiCache 6.x for one, has
// none. What they would give: no NOSCRIPT after a failover, which costs one EVAL a script (Queue.run), and an allow-oom flag instead of ignoreOOM.
//
// # Leases
//
// A claimed job belongs to its worker until the lease expires; Keep renews it at a third of its length. Each claim of a job gets the
// next number (field "claims"), and a write names its number: a worker that was thought dead changes nothing when it comes
// back (ErrLeaseLost). The number is the fencing token; it equals the attempt except after Release, which gives the attempt back
// but never the number. So a job may run twice, but has one result, frees its quota slot once and is billed once.
//
// Only faults of ours are retried, with a growing delay; a program that fails is a result. After the last attempt the job is
// failed and its id goes to the dead-letter list. A payload that can't be read fails at once, by the same way.
//
// # Languages
//
// Jobs wait by language, and Claim takes those of its Claimer's languages alone: what nobody can run holds up nothing else. What can be
// submitted and who can run it now are two facts (Fleet). Sweep, which needs no worker, fails what has waited too long for a language that
// nobody offers.
//
// # Fairness
//
// Each tenant has its own queues, ordered by priority and age; a retried job returns to its old place. Among tenants Claim does
// start-time fair queuing (claim.lua): of two tenants with waiting jobs each gets every second start, however many jobs the
// other has queued, and a tenant that was away is next but has no claim to what it missed. The shares are of starts, not of
// run time. Priorities order a tenant's own jobs only: with priorities across tenants everybody would say "high".
//
// # Waking
//
// An idle worker blocks in BLPOP on one token for each of its languages, and one for deadlines, until there may be work, or until the next lease
// expiry or retry is due; both are known. A token is lost with a worker that dies right after taking it, so no wait is longer than 5 s. Wait and Keep
// learn of ends and cancellations by pub/sub, which may lose messages: both look at the hash again after each reconnection,
// and Keep at each renewal.
//
// # Request limits
//
// Of a tenant's requests, submissions and redeliveries at most a limit is admitted in any window of a length: the window slides (countRequest in
// lib.lua). A window that begins by the clock lets twice the limit through around its edge. A token bucket (GCRA) of that size does so too: a
// full bucket, and what flows in meanwhile; one that doesn't lets through half the limit later on. So the times of the admitted requests are
// kept. Above rateSteps those of one part of the window stand together under the time of the last: a tenant takes at most some 1,300 bytes a
// limit, and a place is free again at most one part late, never early. RetryAfter says exactly when.
//
// # Memory
//
// What a job takes is booked for its tenant in the steps that change it (account in lib.lua) and bounded at Submit. The books are not kept by
// sums of changes: each booking says anew what is there, and is looked at again when the job should have expired. Submit admits nothing when Redis's memory is
// nearly used up (ErrFull). A Redis that is full refuses a step's first write, if that needs memory; the steps that end something begin
// with one that doesn't (proceed), so they get through.
//
// # Redis
//
// One primary (with or without replicas and Sentinel), version 6 or later. Redis Cluster is not supported: a claim touches
// whichever tenant is next, so its keys can't be declared or share a hash slot. Use appendonly yes, maxmemory and maxmemory-policy noeviction.
// An unfinished job has no expiry, so even a volatile-* policy can't evict it; quotas bound how many there are, and what they take.
// A finished one is kept for JobTTL with its source, a dead-lettered one for DeadLetterTTL. Source and input are stored once,
// in the job's hash; the queues hold ids.
//
// When Redis is away a call returns an error within a few seconds and says what it tried on which address. Submit and Complete
// may be repeated: they know the id, or the claim, and change nothing the second time.
package queue
