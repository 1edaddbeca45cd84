-- Counts one request in the tenant's current window. Windows lie on Redis's clock, so the end told is the end.
-- KEYS  none: names come from keys.go
-- ARGV  tenant, kind, window (seconds)
-- returns {count, end of the window (ms), now (ms)}

local tenant, kind, window = ARGV[1], ARGV[2], tonumber(ARGV[3])
local at = now()
local bucket = floor(at / 1000 / window)
local key = rateKey(tenant, kind, bucket)
local count, ends = redis.call('INCR', key), (bucket + 1) * window
if count == 1 then redis.call('EXPIREAT', key, ends) end
return { count, ends * 1000, at }
