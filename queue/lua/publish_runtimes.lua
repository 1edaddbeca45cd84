-- SPDX-License-Identifier: Apache-2.0
-- Records which languages a worker can run now, until a time to live is over. Each of them can be submitted from then on.
-- KEYS  none: names come from keys.go
-- ARGV  worker, languages (JSON), time to live (ms; 0 withdraws the record), the worker's warnings (JSON),
--       then name, profile (JSON) ... of the same languages
-- returns 'ok'

ignoreOOM()
local worker, ttl, at = ARGV[1], tonumber(ARGV[3]), now()
local before = redis.call('HGET', RUNTIMES, worker)
if ttl <= 0 then
  redis.call('ZREM', WORKERS, worker)
  redis.call('HDEL', RUNTIMES, worker)
  redis.call('HDEL', WARNINGS, worker)
else
  redis.call('ZADD', WORKERS, at + ttl, worker)
  redis.call('HSET', RUNTIMES, worker, ARGV[2])
  redis.call('HSET', WARNINGS, worker, ARGV[4])
  for i = 5, #ARGV, 2 do
    redis.call('HSET', LANGUAGES, ARGV[i], ARGV[i + 1])
    redis.call('ZADD', OFFERED, math.max(at + ttl, tonumber(redis.call('ZSCORE', OFFERED, ARGV[i]) or 0)), ARGV[i])
  end
end

-- A language that this worker no longer offers, and no other does, counts as not offered from now on.
if before and (before ~= ARGV[2] or ttl <= 0) then
  local still = {}
  for _, w in ipairs(redis.call('ZRANGEBYSCORE', WORKERS, at, '+inf')) do
    for _, l in ipairs(cjson.decode(redis.call('HGET', RUNTIMES, w) or '[]')) do still[l.name] = true end
  end
  for _, l in ipairs(cjson.decode(before)) do
    if not still[l.name] and redis.call('ZSCORE', OFFERED, l.name) then redis.call('ZADD', OFFERED, at, l.name) end
  end
end
return 'ok'
