-- SPDX-License-Identifier: Apache-2.0
-- Records the ECS task that runs the present attempt of a job.
-- KEYS  none: names come from keys.go
-- ARGV  id, tenant, claim, taskArn, taskDefinitionArn, computeTier, purchaseOption, audit metadata (JSON)
-- returns 'ok' or 'lost'

local id, tenant, claim = ARGV[1], ARGV[2], ARGV[3]
if not holdsLease(id, claim) then return 'lost' end
local at = now()
redis.call('HSET', jobKey(id), 'taskArn', ARGV[4], 'taskDefinitionArn', ARGV[5], 'computeTier', ARGV[6], 'purchaseOption', ARGV[7],
  'updatedAt', iso(at))
audit(at, tenant, 'worker', 'job_dispatched', id, ARGV[8])
redis.call('PUBLISH', CHANGED, id)
return 'ok'
