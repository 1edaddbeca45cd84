-- SPDX-License-Identifier: Apache-2.0
-- Counts one of the tenant's calls of a language model on this UTC day.
-- KEYS  none: names come from keys.go
-- ARGV  tenant, calls a day
-- returns 1, or 0 if there is none left

local key = modelCalls(ARGV[1], dateOf(now()))
local used = tonumber(redis.call('GET', key) or '0')
if used >= tonumber(ARGV[2]) then return 0 end
if redis.call('INCR', key) == 1 then redis.call('EXPIRE', key, DAILY_TTL) end
return 1
