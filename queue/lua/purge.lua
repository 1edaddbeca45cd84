-- SPDX-License-Identifier: Apache-2.0
-- Deletes everything that is stored of a finished job: request, source, input, result, output. Its cost and its audit stay.
-- KEYS  none: names come from keys.go
-- ARGV  id, tenant
-- returns 'deleted'; the state of a job that isn't finished; false if the tenant has no such job

local id, tenant = ARGV[1], ARGV[2]
local f = redis.call('HMGET', jobKey(id), 'tenantId', 'status')
if f[1] ~= tenant then return false end
if not isFinal(f[2]) then return f[2] end
ignoreOOM()
local at = now()
auditJob(at, id, tenant, 'api', 'job_deleted', {})
awaitArchive(id, tenant, -at) -- to be deleted from it
redis.call('DEL', jobKey(id), deliveries(id), events(id))
recountStored(id, tenant, at)
redis.call('PUBLISH', CHANGED, id)
redis.call('ZREM', history(tenant), id)
redis.call('ZREM', DEAD, entry(id, tenant))
redis.call('ZREM', HOOKS, entry(id, tenant))
redis.call('ZREM', hooksDue(tenant), entry(id, tenant))
return 'deleted'
