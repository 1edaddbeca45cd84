-- SPDX-License-Identifier: Apache-2.0
-- Gives the worker what is new, and keeps the offer alive.
-- ARGV  digest of the token, id, times to live of the offer and of being live (ms)
-- returns {'ok', 1 if a task has the job, ms since it last called, end (JSON, '' for none), events (JSON) ...} or {'void'}

local offer, events = SPACE .. 'offer:' .. ARGV[1], SPACE .. 'events:' .. ARGV[1]
local f = redis.call('HMGET', offer, 'job', 'nonce', 'called', 'end')
if not f[1] then return { 'void' } end
local at = redis.call('TIME')
at = at[1] * 1000 + math.floor(at[2] / 1000)
redis.call('PEXPIRE', offer, ARGV[3])
redis.call('ZADD', SPACE .. 'live', at + ARGV[4], ARGV[2])
redis.call('PEXPIRE', SPACE .. 'live', ARGV[3])
local answer = { 'ok', f[2] and 1 or 0, math.max(0, at - f[3]), f[4] or '' }
for _, batch in ipairs(redis.call('LRANGE', events, 0, -1)) do answer[#answer + 1] = batch end
redis.call('DEL', events)
redis.call('HDEL', offer, 'waiting')
return answer
