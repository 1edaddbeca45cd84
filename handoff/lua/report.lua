-- SPDX-License-Identifier: Apache-2.0
-- Stores what a task reports until the worker reads it.
-- ARGV  digests of token and nonce, '?' to change nothing, events (JSON, '' for none), end (JSON, '' for none), bytes of events that may wait
-- returns 'ok', 'cancelled', 'void', 'taken' or 'ended'

local offer, events = SPACE .. 'offer:' .. ARGV[1], SPACE .. 'events:' .. ARGV[1]
local f = redis.call('HMGET', offer, 'job', 'nonce', 'end', 'cancelled', 'waiting')
if not f[1] then return 'void' end
if f[2] ~= ARGV[2] then return 'taken' end -- or never taken: no process has this nonce
if ARGV[3] == '?' then return 'ok' end
if f[3] then return f[3] ~= ARGV[5] and 'ended' or f[4] and 'cancelled' or 'ok' end
local at = redis.call('TIME')
redis.call('HDEL', offer, 'spec')
redis.call('HSET', offer, 'called', at[1] * 1000 + math.floor(at[2] / 1000))
if ARGV[4] ~= '' and (f[5] or 0) + #ARGV[4] <= tonumber(ARGV[6]) then
  redis.call('RPUSH', events, ARGV[4])
  redis.call('PEXPIRE', events, redis.call('PTTL', offer))
  redis.call('HINCRBY', offer, 'waiting', #ARGV[4])
end
if ARGV[5] ~= '' then redis.call('HSET', offer, 'end', ARGV[5]) end
if ARGV[4] ~= '' or ARGV[5] ~= '' then redis.call('PUBLISH', NOTICES, ARGV[1]) end
return f[4] and 'cancelled' or 'ok'
