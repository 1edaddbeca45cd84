-- SPDX-License-Identifier: Apache-2.0
-- Does the work that must not wait for a worker: puts back due jobs, and fails those whose language no worker has offered for too long.
-- KEYS  none: names come from keys.go
-- ARGV  none
-- returns how many jobs it failed; if any, there may be more

ignoreOOM()
local at = now()
requeueDue(at)
local ended = 0
for _, language in ipairs(redis.call('SMEMBERS', WAITED)) do
  local last = tonumber(redis.call('ZSCORE', OFFERED, language) or 0)
  if at - last > MAX_WAIT then
    for _, e in ipairs(redis.call('ZRANGEBYSCORE', since(language), '-inf', at - MAX_WAIT - 1, 'LIMIT', 0, 16)) do
      local id, tenant = split(e)
      withdraw(id, tenant)
      failJob(id, tenant, at, string.format('no worker offered %s within %d seconds', language, floor(MAX_WAIT / 1000)),
        last == 0 and 'nobody ever offered the language' or 'nobody has offered the language since ' .. iso(last))
      ended = ended + 1
    end
  end
end
return ended
