-- SPDX-License-Identifier: Apache-2.0
-- Renews a lease.
-- KEYS  none: names come from keys.go
-- ARGV  id, tenant, claim
-- returns 'ok', 'cancel' (renewed, and the job is to be cancelled) or 'lost'

local id, tenant, claim = ARGV[1], ARGV[2], ARGV[3]
ignoreOOM()
if not holdsLease(id, claim) then return 'lost' end
local at = now()
graceEnd(at)
redis.call('ZADD', LEASES, at + LEASE, entry(id, tenant))
return redis.call('HEXISTS', jobKey(id), 'cancelRequestedAt') == 1 and 'cancel' or 'ok'
