-- Counts one request in the tenant's current window. Windows lie on Redis's clock, so the end told is the end.
-- KEYS  none: names come from keys.go
-- ARGV  tenant, limit, window (seconds), traceId, method, path
-- returns {count, end of the window (ms), now (ms)}

proceed()
local at = now()
local count, ends = countRequest(ARGV[1], 'rate_limit', tonumber(ARGV[3]), tonumber(ARGV[2]), at, 'rate_limited', ARGV[4], ARGV[5], ARGV[6])
return { count, ends, at }
