-- Appends what a running job did to its live events.
-- KEYS  none: names come from keys.go
-- ARGV  id, tenant, claim, seconds that the events are kept, attempt, then event (JSON) ...
-- returns 'ok' or 'lost'

local id, tenant, claim = ARGV[1], ARGV[2], ARGV[3]
if not held(id, claim) then return 'lost' end
for i = 6, #ARGV do
  redis.call('XADD', events(id), 'MAXLEN', '~', EVENTS_MAX, '*', 'attempt', ARGV[5], 'event', ARGV[i])
end
redis.call('EXPIRE', events(id), ARGV[4])
redis.call('PUBLISH', CHANGED, id)
return 'ok'
