-- Hands a job back that its worker can't finish (it is stopping): it waits again, at its old place, and the attempt is not
-- counted. The claim stays counted, so this worker's late writes are fenced off.
-- KEYS  none: names come from keys.go
-- ARGV  id, tenant, claim
-- returns 'ok' or 'lost'

local id, tenant, claim = ARGV[1], ARGV[2], ARGV[3]
proceed()
if not held(id, claim) then return 'lost' end
local at = now()
if redis.call('HEXISTS', jobKey(id), 'cancelRequestedAt') == 1 then
  cancelled(id, tenant, at, 'worker')
  return 'ok'
end
local made = redis.call('HINCRBY', jobKey(id), 'attemptsMade', -1)
redis.call('HSET', jobKey(id), 'status', made > 0 and 'retrying' or 'queued', 'currentAttempt', made + 1, 'updatedAt', iso(at))
redis.call('HDEL', jobKey(id), 'worker', 'startedAt')
redis.call('ZREM', LEASES, entry(id, tenant))
redis.call('PUBLISH', CHANGED, id)
push(id, tenant, redis.call('HGET', jobKey(id), 'order'))
return 'ok'
