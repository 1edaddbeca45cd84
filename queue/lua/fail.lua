-- SPDX-License-Identifier: Apache-2.0
-- Ends a job that can never run.
-- KEYS  none: names come from keys.go
-- ARGV  id, tenant, claim, message (for the tenant), cause (for operators), '1' to dead-letter it, else '0'
-- returns 'ok' or 'lost'

local id, tenant, claim = ARGV[1], ARGV[2], ARGV[3]
ignoreOOM()
if not holdsLease(id, claim) then return 'lost' end
local how = ARGV[6] == '1' and deadLetter or failJob
how(id, tenant, now(), ARGV[4], ARGV[5])
return 'ok'
