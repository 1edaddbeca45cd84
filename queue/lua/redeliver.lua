-- SPDX-License-Identifier: Apache-2.0
-- Schedules another delivery of a finished job's webhook, at once and with new attempts.
-- KEYS  none: names come from keys.go
-- ARGV  id, tenant, limit, window (seconds), traceId, method, path
-- returns 'ok'; 'none' if the job has no webhook; 'unfinished'; false if the tenant has no such job;
--         {what countRequest returns, now (ms)} when the tenant has asked for too many

local id, tenant = ARGV[1], ARGV[2]
local f = redis.call('HMGET', jobKey(id), 'tenantId', 'webhookUrl', 'completedAt')
if f[1] ~= tenant then return false end
if not f[2] then return 'none' end
if not f[3] then return 'unfinished' end
local at = now()
local counted = countRequest(tenant, 'redeliver_rate_limit', tonumber(ARGV[4]), tonumber(ARGV[3]), at, 'rate_limited', ARGV[5], ARGV[6], ARGV[7])
if counted[1] > tonumber(ARGV[3]) then return { counted, at } end
redis.call('HSET', jobKey(id), 'webhookAttempts', 0)
redis.call('ZADD', HOOKS, at, entry(id, tenant))
leaveToken(HOOK_WAKE)
return 'ok'
