-- SPDX-License-Identifier: Apache-2.0
-- Logs an attempt to deliver a webhook, and schedules the next one.
-- KEYS  none: names come from keys.go
-- ARGV  id, tenant, delay until the next attempt (ms; '0': there is none), log entry (JSON), how many entries are kept

ignoreOOM()
local id, tenant, delay = ARGV[1], ARGV[2], tonumber(ARGV[3])
if delay > 0 and redis.call('EXISTS', jobKey(id)) == 1 then
  redis.call('ZADD', HOOKS, now() + delay, entry(id, tenant))
  leaveToken(HOOK_WAKE)
else
  redis.call('ZREM', HOOKS, entry(id, tenant))
end
local ttl = redis.call('PTTL', jobKey(id))
if ttl == -2 then return 'gone' end
redis.call('RPUSH', deliveries(id), ARGV[4])
redis.call('LTRIM', deliveries(id), -ARGV[5], -1)
if ttl > 0 then redis.call('PEXPIRE', deliveries(id), ttl) end
return 'ok'
