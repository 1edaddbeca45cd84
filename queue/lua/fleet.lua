-- SPDX-License-Identifier: Apache-2.0
-- Returns who is alive, what they can run now, and what can be submitted. Removes workers whose record has expired, and languages that
-- nobody has offered for KEEP_LANGUAGE.
-- KEYS  none: names come from keys.go
-- ARGV  none
-- returns {{languages (JSON) ...} one for each live worker, in the order in which their records expire,
--         {profile (JSON) ...} of what can be submitted, {language ...} in which jobs wait and that nobody offers now,
--         {worker, warnings (JSON) ...} of the live workers}

local at = now()
for _, worker in ipairs(redis.call('ZRANGEBYSCORE', WORKERS, '-inf', at)) do
  redis.call('ZREM', WORKERS, worker)
  redis.call('HDEL', RUNTIMES, worker)
  redis.call('HDEL', WARNINGS, worker)
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
return { live, redis.call('HVALS', LANGUAGES), stuck, redis.call('HGETALL', WARNINGS) }
