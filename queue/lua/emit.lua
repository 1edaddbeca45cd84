-- SPDX-License-Identifier: Apache-2.0
-- Appends to the live events of a running job.
-- KEYS  none: names come from keys.go
-- ARGV  id, tenant, claim, time to live of the events (seconds), attempt, then event (JSON) ...
-- returns 'ok' or 'lost'

local id, tenant, claim = ARGV[1], ARGV[2], ARGV[3]
if not holdsLease(id, claim) then return 'lost' end
local size, first = 0, redis.call('EXISTS', events(id)) == 0
for i = 6, #ARGV do
  size = size + #ARGV[i]
  redis.call('XADD', events(id), 'MAXLEN', '~', EVENTS_MAX, '*', 'attempt', ARGV[5], 'event', ARGV[i])
end
redis.call('EXPIRE', events(id), ARGV[4])
if first then redis.call('HSET', jobKey(id), 'eventBytes', size) else redis.call('HINCRBY', jobKey(id), 'eventBytes', size) end
recountStored(id, tenant, now())
redis.call('PUBLISH', CHANGED, id)
return 'ok'
