-- SPDX-License-Identifier: Apache-2.0
-- Stores the result of a job, once, with its cost, counts and audit.
-- KEYS  none: names come from keys.go
-- ARGV  id, tenant, claim, state, result (JSON), failureCategory, estimatedCostUsd, billableDurationMs, costModelVersion,
--       outputFiles (JSON, '' for none), summary (JSON), audit metadata (JSON),
--       bytes of result and output files as JSON; result and outputFiles may be packed
-- returns 'ok', also when this claim has stored its result before; 'lost' if the job is no longer this claim's

local id, tenant, claim, state = ARGV[1], ARGV[2], ARGV[3], ARGV[4]
ignoreOOM()
if not holdsLease(id, claim) then
  local f = redis.call('HMGET', jobKey(id), 'claims', 'result')
  return (f[1] == claim and f[2]) and 'ok' or 'lost'
end
local at = now()
finish(id, tenant, at, state, 'result', ARGV[5], 'failureCategory', ARGV[6], 'estimatedCostUsd', ARGV[7],
  'billableDurationMs', ARGV[8], 'costModelVersion', ARGV[9], 'outputFiles', ARGV[10], 'summary', ARGV[11], 'outputBytes', ARGV[13], 'error', '', 'retryScheduledAt', '')
audit(at, tenant, 'worker', 'job_' .. state, id, ARGV[12])
addToTally(at, 'ms', tonumber(ARGV[8]))
if tonumber(ARGV[7]) > 0 then
  local cost = dailyCost(tenant, dateOf(at))
  redis.call('INCRBYFLOAT', cost, ARGV[7])
  redis.call('EXPIRE', cost, COST_TTL)
end
return 'ok'
