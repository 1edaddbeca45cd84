-- Records which languages a worker offers; its word holds for a time.
-- KEYS  none: names come from keys.go
-- ARGV  worker, languages (JSON), time to live (ms); 0 withdraws

proceed()
local worker, ttl = ARGV[1], tonumber(ARGV[3])
if ttl <= 0 then
  redis.call('ZREM', WORKERS, worker)
  redis.call('HDEL', RUNTIMES, worker)
else
  redis.call('ZADD', WORKERS, now() + ttl, worker)
  redis.call('HSET', RUNTIMES, worker, ARGV[2])
end
return 'ok'
