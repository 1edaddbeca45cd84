-- Has a finished job's webhook delivered again, at once and with fresh attempts.
-- KEYS  none: names come from keys.go
-- ARGV  id, tenant
-- returns 'ok'; 'none' if the job has no webhook; 'unfinished'; false if the tenant has no such job

local id, tenant = ARGV[1], ARGV[2]
local f = redis.call('HMGET', jobKey(id), 'tenantId', 'webhookUrl', 'completedAt')
if f[1] ~= tenant then return false end
if not f[2] then return 'none' end
if not f[3] then return 'unfinished' end
redis.call('HSET', jobKey(id), 'webhookAttempts', 0)
redis.call('ZADD', HOOKS, now(), entry(id, tenant))
nudge(HOOK_WAKE)
return 'ok'
