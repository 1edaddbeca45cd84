-- SPDX-License-Identifier: Apache-2.0
-- Lists the jobs for which a worker waits.
-- returns {id, ARN of its task or '', ...}

local at, live = redis.call('TIME'), SPACE .. 'live'
redis.call('ZREMRANGEBYSCORE', live, '-inf', at[1] * 1000 + math.floor(at[2] / 1000))
local answer = {}
for _, id in ipairs(redis.call('ZRANGE', live, 0, -1)) do
  answer[#answer + 1] = id
  answer[#answer + 1] = redis.call('HGET', SPACE .. 'job:' .. id, 'task') or ''
end
return answer
