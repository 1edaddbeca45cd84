-- SPDX-License-Identifier: Apache-2.0
-- Offers a job under a new token; older tokens become void.
-- ARGV  id, attempt, digest of the token, spec (JSON), times to live of the offer, of being live and of the number (ms)
-- returns {'ok', number} or {'older'}

local at = redis.call('TIME')
at = at[1] * 1000 + math.floor(at[2] / 1000)
local of, offer = SPACE .. 'job:' .. ARGV[1], SPACE .. 'offer:' .. ARGV[3]
local f = redis.call('HMGET', of, 'attempt', 'digest')
if f[1] and tonumber(f[1]) > tonumber(ARGV[2]) then return { 'older' } end
if f[2] then
  redis.call('DEL', SPACE .. 'offer:' .. f[2], SPACE .. 'events:' .. f[2])
  redis.call('PUBLISH', NOTICES, f[2])
end
local number = redis.call('HINCRBY', of, 'number', 1)
redis.call('HSET', of, 'attempt', ARGV[2], 'digest', ARGV[3])
redis.call('HDEL', of, 'task')
redis.call('PEXPIRE', of, ARGV[7])
redis.call('HSET', offer, 'job', ARGV[1], 'spec', ARGV[4], 'called', at)
redis.call('PEXPIRE', offer, ARGV[5])
redis.call('ZADD', SPACE .. 'live', at + ARGV[6], ARGV[1])
redis.call('PEXPIRE', SPACE .. 'live', ARGV[5])
return { 'ok', number }
