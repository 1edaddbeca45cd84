-- Sums what happened in the latest seconds, and looks at what is there now.
-- KEYS  none: names come from keys.go
-- ARGV  seconds
-- returns {submitted, succeeded, failed, ms of the last two together, live workers}

local at = now()
local last = floor(at / TALLY)
local sum = { 0, 0, 0, 0 }
for bucket = last - math.ceil(ARGV[1] * 1000 / TALLY) + 1, last do
  for i, n in ipairs(redis.call('HMGET', tally(bucket), 'submitted', 'succeeded', 'failed', 'ms')) do sum[i] = sum[i] + (n or 0) end
end
sum[5] = redis.call('ZCOUNT', WORKERS, at, '+inf')
return sum
