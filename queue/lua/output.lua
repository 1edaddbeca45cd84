-- SPDX-License-Identifier: Apache-2.0
-- Returns result and output files of a job, unless they are too large.
-- KEYS  none: names come from keys.go
-- ARGV  id, largest size (bytes)
-- returns {bytes of result and output files as JSON}, followed by the two (false for one that doesn't exist) if they are not larger

local key = jobKey(ARGV[1])
local size = redis.call('HSTRLEN', key, 'result') + redis.call('HSTRLEN', key, 'outputFiles')
size = math.max(size, redis.call('HGET', key, 'outputBytes') or 0) -- what is stored may be shorter
if size > tonumber(ARGV[2]) then return { size } end
local f = redis.call('HMGET', key, 'result', 'outputFiles')
return { size, f[1], f[2] }
