-- SPDX-License-Identifier: Apache-2.0
-- Gives a job to the first caller with its token, and again to the same caller until its first report.
-- ARGV  digests of token and nonce
-- returns {'ok', spec}, {'void'}, {'taken'} or {'ended'}

local offer = SPACE .. 'offer:' .. ARGV[1]
local f = redis.call('HMGET', offer, 'job', 'nonce', 'spec', 'end')
if not f[1] then return { 'void' } end
if f[2] and f[2] ~= ARGV[2] then return { 'taken' } end
if f[4] then return { 'ended' } end
if not f[3] then return { 'taken' } end -- the caller has reported: it has the job
local at = redis.call('TIME')
redis.call('HSET', offer, 'nonce', ARGV[2], 'called', at[1] * 1000 + math.floor(at[2] / 1000))
redis.call('PUBLISH', NOTICES, ARGV[1])
return { 'ok', f[3] }
