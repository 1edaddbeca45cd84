-- SPDX-License-Identifier: Apache-2.0
-- Records that the archive has a job, or has deleted it: the job need not be kept longer than others.
-- KEYS  none: names come from keys.go
-- ARGV  id, tenant, the score with which it waited: with another one it has changed meanwhile, and still waits
-- returns 1, or 0 when it has changed

local id, tenant = ARGV[1], ARGV[2]
local score = redis.call('ZSCORE', UNARCHIVED, entry(id, tenant))
if not score or tonumber(score) ~= tonumber(ARGV[3]) then return 0 end
redis.call('ZREM', UNARCHIVED, entry(id, tenant))
local f = redis.call('HMGET', jobKey(id), 'status', 'deadLetteredAt')
if isFinal(f[1]) and not f[2] and redis.call('TTL', jobKey(id)) > JOB_TTL then
  redis.call('EXPIRE', jobKey(id), JOB_TTL)
  recountStored(id, tenant, now())
end
return 1
