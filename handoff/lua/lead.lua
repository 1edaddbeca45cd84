-- SPDX-License-Identifier: Apache-2.0
-- Takes or renews the reaper's lease.
-- ARGV  holder, its length (ms)
-- returns 1 if the holder has it, else 0

local key = SPACE .. 'reaper'
local holder = redis.call('GET', key)
if holder and holder ~= ARGV[1] then return 0 end
redis.call('SET', key, ARGV[1], 'PX', ARGV[2])
return 1
