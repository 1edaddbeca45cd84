-- Tells who is alive, what they can run now, and what can be submitted; forgets workers whose word has expired, and languages that nobody
-- has offered for KEEP_LANGUAGE.
-- KEYS  none: names come from keys.go
-- ARGV  none
-- returns {{languages (JSON) ...} one for each live worker, in the order of their expiry, {profile (JSON) ...} of what can be submitted,
--         {language ...} in which jobs wait and that nobody offers now}

local at = now()
for _, worker in ipairs(redis.call('ZRANGEBYSCORE', WORKERS, '-inf', at)) do
  redis.call('ZREM', WORKERS, worker)
  redis.call('HDEL', RUNTIMES, worker)
end
for _, name in ipairs(redis.call('ZRANGEBYSCORE', OFFERED, '-inf', at - KEEP_LANGUAGE)) do
  redis.call('ZREM', OFFERED, name)
  redis.call('HDEL', LANGUAGES, name)
end
local live, stuck = {}, {}
for _, worker in ipairs(redis.call('ZRANGE', WORKERS, 0, -1)) do live[#live + 1] = redis.call('HGET', RUNTIMES, worker) end
for _, language in ipairs(redis.call('SMEMBERS', WAITED)) do
  if at >= tonumber(redis.call('ZSCORE', OFFERED, language) or 0) then stuck[#stuck + 1] = language end
end
return { live, redis.call('HVALS', LANGUAGES), stuck }
