-- SPDX-License-Identifier: Apache-2.0
-- Counts the jobs of the queue.
-- KEYS  none: names come from keys.go
-- ARGV  none
-- returns {waiting, active, delayed, in the dead-letter list, succeeded, failed, cancelled, retried, stuck}; succeeded to retried
--         ever; stuck are the waiting jobs in languages that no worker offers

local n, stuck = countWaiting(now())
local f = redis.call('HMGET', STATS, 'succeeded', 'failed', 'cancelled', 'retried')
for i = 1, 4 do f[i] = tonumber(f[i] or '0') end
return { n, redis.call('ZCARD', LEASES), redis.call('ZCARD', DELAYED), redis.call('ZCARD', DEAD), f[1], f[2], f[3], f[4], stuck }
