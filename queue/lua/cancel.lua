-- SPDX-License-Identifier: Apache-2.0
-- Cancels a job: at once if it waits; if it runs, it notifies the worker and sets a field for a worker that misses the message.
-- KEYS  none: names come from keys.go
-- ARGV  id, tenant
-- returns the state after the step, or false if the tenant has no such job

local id, tenant = ARGV[1], ARGV[2]
ignoreOOM()
local f = redis.call('HMGET', jobKey(id), 'tenantId', 'status')
if f[1] ~= tenant then return false end
local at, state = now(), f[2]
if state == 'queued' or state == 'retrying' then
  withdraw(id, tenant)
  redis.call('ZREM', DELAYED, entry(id, tenant))
  redis.call('HSET', jobKey(id), 'cancelRequestedAt', iso(at))
  cancelJob(id, tenant, at, 'api')
  return 'cancelled'
end
if state == 'running' or state == 'dispatched' then
  if redis.call('HSETNX', jobKey(id), 'cancelRequestedAt', iso(at)) == 1 then
    auditJob(at, id, tenant, 'api', 'job_cancel_requested', {})
  end
  redis.call('PUBLISH', CHANGED, id)
  redis.call('PUBLISH', CANCEL, id)
end
return state
