-- SPDX-License-Identifier: Apache-2.0
-- Counts the jobs of the queue.
-- KEYS  none: names come from keys.go
-- ARGV  none
-- returns {waiting, active, delayed, in the dead-letter list, succeeded, failed, cancelled, retried, stuck}; succeeded to retried
--         ever; stuck are the waiting jobs in languages that no worker offers

local at, n, stuck = now(), 0, 0
for _, language in ipairs(redis.call('SMEMBERS', WAITED)) do
  local jobs = redis.call('ZCARD', since(language))
  n = n + jobs
  if at >= tonumber(redis.call('ZSCORE', OFFERED, language) or 0) then stuck = stuck + jobs end
end
local f = redis.call('HMGET', STATS, 'succeeded', 'failed', 'cancelled', 'retried')
for i = 1, 4 do f[i] = tonumber(f[i] or '0') end
return { n, redis.call('ZCARD', LEASES), redis.call('ZCARD', DELAYED), redis.call('ZCARD', DEAD), f[1], f[2], f[3], f[4], stuck }
