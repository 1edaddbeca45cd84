-- SPDX-License-Identifier: Apache-2.0
-- Hands back a job that its worker can't finish (it is stopping, or there was no room): the job waits again, at its old place, and the
-- attempt is not counted. The claim is, so this worker's late writes are fenced off; and so is the release. From the ninth on the job
-- comes back after a growing pause, and after RELEASES_MAX it is dead-lettered: a job that no worker can run must not be handed back for
-- ever.
-- KEYS  none: names come from keys.go
-- ARGV  id, tenant, claim, first pause (ms), longest pause (ms), cause (for operators)
-- returns 'queued' or 'retrying'; 'cancelled' (that was requested meanwhile), 'failed' (dead-lettered) or 'lost'

local id, tenant, claim, pause, longest, cause = ARGV[1], ARGV[2], ARGV[3], tonumber(ARGV[4]), tonumber(ARGV[5]), ARGV[6]
ignoreOOM()
if not holdsLease(id, claim) then return 'lost' end
local at = now()
if redis.call('HEXISTS', jobKey(id), 'cancelRequestedAt') == 1 then
  cancelJob(id, tenant, at, 'worker')
  return 'cancelled'
end
local made = redis.call('HINCRBY', jobKey(id), 'attemptsMade', -1)
local times = redis.call('HINCRBY', jobKey(id), 'releases', 1)
if times > RELEASES_MAX then
  deadLetter(id, tenant, at, 'no worker could run the job in ' .. times .. ' tries', cause)
  return 'failed'
end
local state = made > 0 and 'retrying' or 'queued'
redis.call('HSET', jobKey(id), 'status', state, 'currentAttempt', made + 1, 'updatedAt', iso(at))
redis.call('HDEL', jobKey(id), 'worker', 'startedAt')
redis.call('ZREM', LEASES, entry(id, tenant))
redis.call('PUBLISH', CHANGED, id)
if times <= 8 then
  enqueue(id, tenant, redis.call('HGET', jobKey(id), 'order'), at)
else
  redis.call('ZADD', DELAYED, at + math.min(longest, pause * 2 ^ (times - 9)), entry(id, tenant))
  leaveToken(WAKE) -- so that a waiting worker learns of the new deadline
end
return state
