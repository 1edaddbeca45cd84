-- SPDX-License-Identifier: Apache-2.0
-- Stores the analysis of a job. It creates no job and keeps none longer.
-- KEYS  none: names come from keys.go
-- ARGV  id, tenant, analysis (JSON), provider, fallback reason, audit metadata (JSON)
-- returns its time (ISO 8601), or false if the tenant has no such job

local id, tenant = ARGV[1], ARGV[2]
local f = redis.call('HMGET', jobKey(id), 'tenantId', 'status')
if f[1] ~= tenant then return false end
local at = now()
local t = iso(at)
redis.call('HSET', jobKey(id), 'analysis', ARGV[3], 'analysisProvider', ARGV[4], 'analysisFallbackReason', ARGV[5],
  'analysisUpdatedAt', t, 'updatedAt', t)
recountStored(id, tenant, at)
if isFinal(f[2]) then awaitArchive(id, tenant, at) end
audit(at, tenant, 'api', 'job_analyzed', id, ARGV[6])
redis.call('PUBLISH', CHANGED, id)
return t
