-- SPDX-License-Identifier: Apache-2.0
-- Claims a due webhook for some time; if the caller dies, another one claims it after that. Due webhooks move from the common set into
-- their tenants' sets; then tenants take turns, except those that have enough deliveries with the caller.
-- KEYS  none: names come from keys.go
-- ARGV  length of the claim (ms), n, n tenants that are skipped, then host, ms ...: hosts that are skipped; their webhooks
--       are postponed by ms, or stay (0)
-- returns {1, id, tenant, attempt}, or {0, ms}: nothing to do for ms milliseconds unless woken; -1 if nothing is scheduled
--         {0, ms, 1}: the same, but webhooks were skipped

local LOOKS, AGAIN = 64, 10 -- webhooks that one step reads; ms until the next turn of a tenant whose webhooks were all skipped
local at, lease = now(), tonumber(ARGV[1])
local t = redis.call('TIME')
local turn = t[1] * 1000000 + t[2] -- in microseconds, so that no two turns are the same
local full, hosts, n, held = {}, {}, tonumber(ARGV[2] or '0'), false
for i = 3, n + 2 do full[ARGV[i]] = true end
for i = n + 3, #ARGV, 2 do hosts[ARGV[i]] = tonumber(ARGV[i + 1]) end
ignoreOOM()

for _, e in ipairs(redis.call('ZRANGEBYSCORE', HOOKS, '-inf', at, 'LIMIT', 0, LOOKS)) do
  local id, tenant = split(e)
  redis.call('ZREM', HOOKS, e)
  if redis.call('HEXISTS', jobKey(id), 'webhookUrl') == 1 then -- otherwise the job has expired or was deleted
    redis.call('ZADD', hooksDue(tenant), at, e)
    redis.call('ZADD', HOOK_RING, 'NX', turn, tenant)
  end
end

-- take claims a webhook of that tenant. Those that can't be sent now go behind the others.
local function take(tenant)
  for _, e in ipairs(redis.call('ZRANGE', hooksDue(tenant), 0, LOOKS - 1)) do
    LOOKS = LOOKS - 1
    local id = split(e)
    local f = redis.call('HMGET', jobKey(id), 'webhookUrl', 'webhookHost')
    local wait = f[2] and hosts[f[2]]
    if not f[1] then
      redis.call('ZREM', hooksDue(tenant), e)
    elseif wait == 0 then
      held = true
      redis.call('ZADD', hooksDue(tenant), at, e)
    else
      redis.call('ZREM', hooksDue(tenant), e)
      redis.call('ZADD', HOOKS, at + (wait or lease), e)
      if not wait then return id end
    end
  end
end

for _, tenant in ipairs(redis.call('ZRANGEBYSCORE', HOOK_RING, '-inf', turn, 'LIMIT', 0, n + LOOKS)) do
  if full[tenant] then
    held = true
  elseif LOOKS > 0 then
    local id = take(tenant)
    if redis.call('EXISTS', hooksDue(tenant)) == 0 then
      redis.call('ZREM', HOOK_RING, tenant)
    else
      redis.call('ZADD', HOOK_RING, string.format('%.0f', turn + (id and 1 or AGAIN * 1000)), tenant)
    end
    if id then
      leaveToken(HOOK_WAKE) -- another deliverer shall claim the rest
      return { 1, id, tenant, redis.call('HINCRBY', jobKey(id), 'webhookAttempts', 1) }
    end
  end
end

local ms = -1
local function soonest(wait) if ms < 0 or wait < ms then ms = math.max(0, wait) end end
local first = redis.call('ZRANGE', HOOKS, 0, 0, 'WITHSCORES')
if first[2] then soonest(first[2] - at) end
local turns = redis.call('ZRANGE', HOOK_RING, 0, n, 'WITHSCORES')
for i = 1, #turns, 2 do
  if not full[turns[i]] then soonest(math.ceil((turns[i + 1] - turn) / 1000)) end
end
redis.call('DEL', HOOK_WAKE)
if held then return { 0, ms, 1 } end
return { 0, ms }
