-- SPDX-License-Identifier: Apache-2.0
-- Takes the right to publish how long the queue is, for one round, and counts for it. One caller gets each round; a round begins when the
-- interval since the last one is over, or when jobs are there and the last one published that none were.
-- KEYS  none: names come from keys.go
-- ARGV  interval between two rounds (ms), least interval (ms)
-- returns {1, ms until the next round, pending, waiting, stuck, live workers, those of them that can run jobs, Redis's time (ms)}, or
--         {0, ms until the next round, pending at the last round}

ignoreOOM()
local interval, least, at = tonumber(ARGV[1]), tonumber(ARGV[2]), now()
local last = redis.call('HMGET', DEPTH, 'at', 'pending')
local passed = at - tonumber(last[1] or 0)
if passed < 0 then passed = interval end -- Redis's clock was set back
local n, stuck = countWaiting(at)
local pending = n + redis.call('ZCARD', LEASES) + redis.call('ZCARD', DELAYED)
if last[2] == '0' and pending > 0 then interval = least end
if passed < interval then return { 0, interval - passed, tonumber(last[2] or '0') } end
redis.call('HSET', DEPTH, 'at', string.format('%.0f', at), 'pending', pending)
redis.call('PEXPIRE', DEPTH, string.format('%.0f', 2 * tonumber(ARGV[1])))
local alive, ready = countWorkers(at)
return { 1, tonumber(ARGV[1]), pending, n, stuck, alive, ready, at }
