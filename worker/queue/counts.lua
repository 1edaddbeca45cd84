-- Counts the jobs of the queue.
-- KEYS  none: names come from keys.go
-- ARGV  none
-- returns {waiting, active, delayed, in the dead-letter list, succeeded, failed, cancelled, retried}; the last four since ever

local n = 0
for _, tenant in ipairs(redis.call('ZRANGE', RING, 0, -1)) do n = n + redis.call('ZCARD', waiting(tenant)) end
local f = redis.call('HMGET', STATS, 'succeeded', 'failed', 'cancelled', 'retried')
for i = 1, 4 do f[i] = tonumber(f[i] or '0') end
return { n, redis.call('ZCARD', LEASES), redis.call('ZCARD', DELAYED), redis.call('ZCARD', DEAD), unpack(f) }
