-- SPDX-License-Identifier: Apache-2.0
-- Queues a dead-lettered job again, with new attempts. It takes a slot even beyond the quota: it was admitted before.
-- KEYS  none: names come from keys.go
-- ARGV  id, tenant, maxAttempts
-- returns 'recovered', or 'skipped' if it is not in the dead-letter list or not stored any more

local id, tenant, maxAttempts = ARGV[1], ARGV[2], ARGV[3]
local f = redis.call('HMGET', jobKey(id), 'status', 'order', 'tenantId', 'spec')
if redis.call('ZSCORE', DEAD, entry(id, tenant)) == false or f[1] ~= 'failed' or f[3] ~= tenant or not f[4] then return 'skipped' end
local at = now()
redis.call('ZREM', DEAD, entry(id, tenant))
redis.call('HSET', jobKey(id), 'status', 'queued', 'attemptsMade', '0', 'currentAttempt', '1', 'maxAttempts', maxAttempts,
  'updatedAt', iso(at))
redis.call('HDEL', jobKey(id), 'error', 'cause', 'failureCategory', 'completedAt', 'startedAt', 'deadLetteredAt', 'retryScheduledAt',
  'cancelRequestedAt', 'releases', 'estimatedCostUsd', 'billableDurationMs', 'costModelVersion')
redis.call('PERSIST', jobKey(id))
recountStored(id, tenant, at)
redis.call('SADD', activeIDs(tenant), id)
redis.call('SET', activeJobs(tenant), redis.call('SCARD', activeIDs(tenant)))
auditJob(at, id, tenant, 'worker', 'job_replayed', {})
redis.call('PUBLISH', CHANGED, id)
enqueue(id, tenant, f[2], at)
return 'recovered'
