-- SPDX-License-Identifier: Apache-2.0
-- Returns how much a tenant has used of its quotas.
-- KEYS  none: names come from keys.go
-- ARGV  tenant
-- returns {active, daily, date, cost (decimal string), stored bytes}

local tenant = ARGV[1]
local at = now()
local date = dateOf(at)
recountDue(tenant, at, 200)
return { redis.call('SCARD', activeIDs(tenant)), tonumber(redis.call('GET', dailyJobs(tenant, date)) or '0'), date,
  redis.call('GET', dailyCost(tenant, date)) or '0',
  tonumber(redis.call('HGET', stored(tenant), '') or '0') }
