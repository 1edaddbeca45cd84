-- Takes the next webhook that is due, for a while: who takes it and dies leaves it to the next.
-- KEYS  none: names come from keys.go
-- ARGV  for how long (ms)
-- returns {1, id, tenant, attempt}, or {0, ms}: nothing to do for ms milliseconds unless woken; -1 if nothing is planned

proceed()
local at = now()
while true do
  local first = redis.call('ZRANGE', HOOKS, 0, 0, 'WITHSCORES')
  if #first == 0 then
    redis.call('DEL', HOOK_WAKE)
    return { 0, -1 }
  end
  local e, due = first[1], tonumber(first[2])
  if due > at then
    redis.call('DEL', HOOK_WAKE)
    return { 0, due - at }
  end
  local id, tenant = split(e)
  if redis.call('HEXISTS', jobKey(id), 'webhookUrl') == 1 then
    redis.call('ZADD', HOOKS, at + ARGV[1], e)
    nudge(HOOK_WAKE) -- another one shall look after what is left
    return { 1, id, tenant, redis.call('HINCRBY', jobKey(id), 'webhookAttempts', 1) }
  end
  redis.call('ZREM', HOOKS, e) -- the job has expired or was deleted
end
