-- SPDX-License-Identifier: Apache-2.0
-- Claims the next job under a lease, after it has put back the due jobs: those whose lease expired, and delayed retries.
-- KEYS  none: names come from keys.go
-- ARGV  worker, n, n languages of the worker, tenant ...: their jobs are skipped
-- returns {1, id, tenant, claim, attempt, {field, value ...}}: claim is the fencing token, one more at each claim of the job
--         {0, ms}: nothing to do for ms milliseconds unless woken; -1 if there is no deadline
--         {0, ms, 1}: the same, but jobs were skipped

local worker, n = ARGV[1], tonumber(ARGV[2])
ignoreOOM()
local at = now()
requeueDue(at)

-- Jobs that an older version queued: one queue a tenant, for all languages.
local old = redis.call('ZRANGE', OLD_RING, 0, 0)[1]
if old then
  local popped = redis.call('ZPOPMIN', oldWaiting(old), 16)
  if #popped == 0 then redis.call('ZREM', OLD_RING, old) end
  for i = 1, #popped, 2 do
    if redis.call('EXISTS', jobKey(popped[i])) == 1 then enqueue(popped[i], old, popped[i + 1], at) else freeSlot(popped[i], old) end
  end
end

local offered, full = {}, {}
for i = 3, 2 + n do offered[ARGV[i]] = true end
for i = 3 + n, #ARGV do full[ARGV[i]] = true end
local most = #ARGV - 2 - n -- full tenants

-- languages returns those in which this worker could claim a job now.
local function languages()
  local list = {}
  for _, language in ipairs(redis.call('SMEMBERS', WAITED)) do
    if offered[language] then list[#list + 1] = language end
  end
  return list
end

-- first returns the next tenant to be served, and its tag.
local function first(list)
  local tenant, tag
  for _, language in ipairs(list) do
    local heads = redis.call('ZRANGE', ring(language), 0, most, 'WITHSCORES')
    for i = 1, #heads, 2 do
      if not full[heads[i]] then
        local t = tonumber(heads[i + 1])
        if not tag or t < tag or t == tag and heads[i] < tenant then tenant, tag = heads[i], t end
        break
      end
    end
  end
  return tenant, tag
end

-- pop dequeues the tenant's first job in these languages. Its jobs in other languages don't hold it up.
local function pop(list, tenant)
  local id, order, of
  for _, language in ipairs(list) do
    local head = redis.call('ZRANGE', waiting(language, tenant), 0, 0, 'WITHSCORES')
    if head[1] and (not order or tonumber(head[2]) < order) then id, order, of = head[1], tonumber(head[2]), language end
  end
  dequeue(id, tenant, of)
  return id
end

-- pick is start-time fair queuing: it serves the tenant with the smallest tag and advances that by one share. It keeps the tags of
-- tenants without jobs while they are ahead of the clock, so leaving and coming back gains nothing.
local function pick(list)
  local tenant, tag = first(list)
  if not tenant then return nil end
  local id = pop(list, tenant)
  setTag(tenant, tag + 1)
  if tag > tonumber(redis.call('GET', CLOCK) or '0') then -- a full tenant's may be smaller
    redis.call('SET', CLOCK, tag)
    redis.call('ZREMRANGEBYSCORE', IDLE, '-inf', tag)
  end
  return id, tenant
end

-- untilDue returns the time to the next lease expiry or retry.
local function untilDue()
  local ms = -1
  for _, k in ipairs({ LEASES, DELAYED }) do
    local next = tonumber(redis.call('ZRANGE', k, 0, 0, 'WITHSCORES')[2])
    if next and k == LEASES then next = math.max(next, tonumber(redis.call('GET', GRACE) or '0')) end
    if next and (ms < 0 or next - at < ms) then ms = math.max(0, next - at) end
  end
  return ms
end

local list = languages()
local id, tenant = pick(list)
while id do
  local status = redis.call('HGET', jobKey(id), 'status')
  if status == 'queued' or status == 'retrying' then break end
  if not status then freeSlot(id, tenant) end -- deleted by hand
  list = languages()
  id, tenant = pick(list)
end
if not id then
  if #list > 0 then return { 0, untilDue(), 1 } end
  redis.call('DEL', WAKE)
  for language in pairs(offered) do redis.call('DEL', wakeFor(language)) end
  return { 0, untilDue() }
end

local attempt = redis.call('HINCRBY', jobKey(id), 'attemptsMade', 1)
local claim = redis.call('HINCRBY', jobKey(id), 'claims', 1)
local t = iso(at)
redis.call('HDEL', jobKey(id), 'taskArn', 'taskDefinitionArn', 'computeTier', 'purchaseOption') -- of an earlier attempt
redis.call('HSET', jobKey(id), 'status', 'running', 'currentAttempt', attempt, 'startedAt', t, 'updatedAt', t,
  'worker', worker, 'error', '')
auditJob(at, id, tenant, 'worker', 'job_running', { attemptNumber = attempt })
redis.call('PUBLISH', CHANGED, id)
-- Wake another idle worker for what is left: jobs, or a deadline that comes before it would try again by itself.
redis.call('ZADD', LEASES, at + LEASE, entry(id, tenant))
for _, language in ipairs(list) do
  if redis.call('EXISTS', ring(language)) == 1 then leaveToken(wakeFor(language)) end
end
if untilDue() < MAX_BLOCK then leaveToken(WAKE) end
return { 1, id, tenant, claim, attempt, redis.call('HGETALL', jobKey(id)) }
