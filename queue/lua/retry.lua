-- SPDX-License-Identifier: Apache-2.0
-- Ends an attempt that failed by our fault: the job comes back after a delay, or is dead-lettered after its last attempt.
-- KEYS  none: names come from keys.go
-- ARGV  id, tenant, claim, delay (ms), message (for the tenant), cause (for operators)
-- returns 'retrying', 'cancelled' (that was requested meanwhile), 'failed' (dead-lettered) or 'lost'

local id, tenant, claim, delay, message, cause = ARGV[1], ARGV[2], ARGV[3], tonumber(ARGV[4]), ARGV[5], ARGV[6]
ignoreOOM()
if not holdsLease(id, claim) then return 'lost' end
local at = now()
local f = redis.call('HMGET', jobKey(id), 'attemptsMade', 'maxAttempts', 'cancelRequestedAt')
if f[3] then
  cancelJob(id, tenant, at, 'worker')
  return 'cancelled'
end
if tonumber(f[1]) >= tonumber(f[2]) then
  deadLetter(id, tenant, at, message, cause)
  return 'failed'
end
markRetrying(id, tenant, at, message, cause)
redis.call('ZREM', LEASES, entry(id, tenant))
redis.call('ZADD', DELAYED, at + delay, entry(id, tenant))
redis.call('HINCRBY', STATS, 'retried', 1)
leaveToken(WAKE) -- so that a waiting worker learns of the new deadline
return 'retrying'
