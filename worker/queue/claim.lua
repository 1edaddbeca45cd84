-- Takes the next job under a lease, after it has put back what is due: jobs whose lease expired, and delayed retries.
-- KEYS  none: names come from keys.go
-- ARGV  worker, tenant ...: of these it takes no job
-- returns {1, id, tenant, claim, attempt, {field, value ...}}: claim is the fencing token, one more at each claim of the job
--         {0, ms}: nothing to do for ms milliseconds unless woken; -1 if there is no deadline
--         {0, ms, 1}: the same, but there are jobs of those tenants

local worker = ARGV[1]
local at = now()
local BATCH = 16 -- of due entries in one step, so that no step is long; what is left over is due at once

-- take over: the worker that had this job has not renewed its lease
for _, e in ipairs(redis.call('ZRANGEBYSCORE', LEASES, '-inf', at, 'LIMIT', 0, BATCH)) do
  local id, tenant = split(e)
  redis.call('ZREM', LEASES, e)
  local f = redis.call('HMGET', jobKey(id), 'attemptsMade', 'maxAttempts', 'order', 'cancelRequestedAt', 'worker')
  if not f[1] then
    freeSlot(id, tenant)
  elseif f[4] then
    cancelled(id, tenant, at, 'worker')
  elseif tonumber(f[1]) >= tonumber(f[2]) then
    bury(id, tenant, at, 'the job was interrupted at each attempt', 'worker ' .. f[5] .. ' let the lease of the last attempt expire')
  else
    retrying(id, tenant, at, 'the attempt was interrupted', 'worker ' .. f[5] .. ' let its lease expire')
    push(id, tenant, f[3])
  end
end

for _, e in ipairs(redis.call('ZRANGEBYSCORE', DELAYED, '-inf', at, 'LIMIT', 0, BATCH)) do
  local id, tenant = split(e)
  redis.call('ZREM', DELAYED, e)
  local order = redis.call('HGET', jobKey(id), 'order')
  if order then push(id, tenant, order) else freeSlot(id, tenant) end
end

local full = {}
for i = 2, #ARGV do full[ARGV[i]] = true end

-- first is the first tenant that is served.
local function first()
  local heads = redis.call('ZRANGE', RING, 0, #ARGV - 1, 'WITHSCORES')
  for i = 1, #heads, 2 do
    if not full[heads[i]] then return heads[i], tonumber(heads[i + 1]) end
  end
end

-- pick is start-time fair queuing: the tenant with the smallest tag is served and its tag moves on by one share. The tags of
-- tenants without jobs are kept while they are ahead of the clock, so leaving and coming back gains nothing.
local function pick()
  while true do
    local tenant, tag = first()
    if not tenant then return nil end
    local popped = redis.call('ZPOPMIN', waiting(tenant))
    local share = #popped == 0 and 0 or 1 -- its jobs were cancelled: no charge
    if redis.call('EXISTS', waiting(tenant)) == 1 then
      redis.call('ZADD', RING, tag + share, tenant)
    else
      redis.call('ZREM', RING, tenant)
      redis.call('ZADD', IDLE, tag + share, tenant)
    end
    if tag > tonumber(redis.call('GET', CLOCK) or '0') then -- a full tenant's may be smaller
      redis.call('SET', CLOCK, tag)
      redis.call('ZREMRANGEBYSCORE', IDLE, '-inf', tag)
    end
    if #popped > 0 then return popped[1], tenant end
  end
end

-- untilDue is the time to the next lease expiry or retry.
local function untilDue()
  local ms = -1
  for _, k in ipairs({ LEASES, DELAYED }) do
    local first = redis.call('ZRANGE', k, 0, 0, 'WITHSCORES')
    if #first > 0 and (ms < 0 or first[2] - at < ms) then ms = math.max(0, first[2] - at) end
  end
  return ms
end

local id, tenant = pick()
while id and redis.call('EXISTS', jobKey(id)) == 0 do -- deleted by hand
  freeSlot(id, tenant)
  id, tenant = pick()
end
if not id then
  if redis.call('EXISTS', RING) == 1 then return { 0, untilDue(), 1 } end
  redis.call('DEL', WAKE)
  return { 0, untilDue() }
end

local attempt = redis.call('HINCRBY', jobKey(id), 'attemptsMade', 1)
local claim = redis.call('HINCRBY', jobKey(id), 'claims', 1)
local t = iso(at)
redis.call('HSET', jobKey(id), 'status', 'running', 'currentAttempt', attempt, 'startedAt', t, 'updatedAt', t,
  'worker', worker, 'error', '')
auditJob(at, id, tenant, 'worker', 'job_running', { attemptNumber = attempt })
redis.call('PUBLISH', CHANGED, id)
-- Another idle worker shall look after what is left: jobs, or a deadline that comes before it would look again by itself.
redis.call('ZADD', LEASES, at + LEASE, entry(id, tenant))
if redis.call('EXISTS', RING) == 1 or untilDue() < MAX_BLOCK then nudge(WAKE) end
return { 1, id, tenant, claim, attempt, redis.call('HGETALL', jobKey(id)) }
