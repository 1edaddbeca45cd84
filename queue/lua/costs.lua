-- SPDX-License-Identifier: Apache-2.0
-- Returns the cost of a tenant's jobs, by day.
-- KEYS  none: names come from keys.go
-- ARGV  tenant, days
-- returns {date, USD (decimal string), date, USD ...}, today (UTC) first, a day without jobs as '0'

local tenant, days = ARGV[1], tonumber(ARGV[2])
local at = now()
local names, out = {}, {}
for i = 1, days do
  local date = dateOf(at - (i - 1) * 86400000)
  out[2 * i - 1], names[i] = date, dailyCost(tenant, date)
end
for i, usd in ipairs(redis.call('MGET', unpack(names))) do out[2 * i] = usd or '0' end
return out
