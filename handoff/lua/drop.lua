-- SPDX-License-Identifier: Apache-2.0
-- Forgets an offer. The number of the job's latest offer stays.
-- ARGV  digest of the token, id
-- returns 'ok'

local of = SPACE .. 'job:' .. ARGV[2]
redis.call('DEL', SPACE .. 'offer:' .. ARGV[1], SPACE .. 'events:' .. ARGV[1])
if redis.call('HGET', of, 'digest') == ARGV[1] then
  redis.call('HDEL', of, 'digest', 'task')
  redis.call('ZREM', SPACE .. 'live', ARGV[2])
end
return 'ok'
