-- Lists what the live workers offer, and forgets the others.
-- KEYS  none: names come from keys.go
-- ARGV  none
-- returns {languages (JSON) ...}, one for each worker, in the order of their expiry

for _, worker in ipairs(redis.call('ZRANGEBYSCORE', WORKERS, '-inf', now())) do
  redis.call('ZREM', WORKERS, worker)
  redis.call('HDEL', RUNTIMES, worker)
end
local out = {}
for _, worker in ipairs(redis.call('ZRANGE', WORKERS, 0, -1)) do out[#out + 1] = redis.call('HGET', RUNTIMES, worker) end
return out
