-- SPDX-License-Identifier: Apache-2.0
-- Sums up the jobs of the latest seconds, and counts the live workers.
-- KEYS  none: names come from keys.go
-- ARGV  seconds
-- returns {submitted, succeeded, failed, ms of the last two together, live workers, those of them that can run jobs}

local at = now()
local last = floor(at / TALLY)
local sum = { 0, 0, 0, 0 }
for bucket = last - math.ceil(ARGV[1] * 1000 / TALLY) + 1, last do
  for i, n in ipairs(redis.call('HMGET', tally(bucket), 'submitted', 'succeeded', 'failed', 'ms')) do sum[i] = sum[i] + (n or 0) end
end
sum[5], sum[6] = countWorkers(at)
return sum
