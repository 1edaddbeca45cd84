-- SPDX-License-Identifier: Apache-2.0
-- Notes a fact about an offer.
-- ARGV  digest of the token, id, 'task' or 'cancelled', its value
-- returns 'ok' or 'void'

local offer, of = SPACE .. 'offer:' .. ARGV[1], SPACE .. 'job:' .. ARGV[2]
if redis.call('EXISTS', offer) == 0 then return 'void' end
redis.call('HSET', ARGV[3] == 'task' and of or offer, ARGV[3], ARGV[4])
return 'ok'
