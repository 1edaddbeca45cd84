-- Reads what is large of a job, unless it is very large.
-- KEYS  none: names come from keys.go
-- ARGV  id, bytes that are not too much
-- returns {bytes of result and output files as JSON}, and the two (false for one that is not there) if they are not too much

local key = jobKey(ARGV[1])
local size = redis.call('HSTRLEN', key, 'result') + redis.call('HSTRLEN', key, 'outputFiles')
size = math.max(size, redis.call('HGET', key, 'outputBytes') or 0) -- what is stored may be shorter
if size > tonumber(ARGV[2]) then return { size } end
local f = redis.call('HMGET', key, 'result', 'outputFiles')
return { size, f[1], f[2] }
