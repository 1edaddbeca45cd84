-- SPDX-License-Identifier: Apache-2.0
-- The life of a job, as several steps share it; behind lib.lua.

-- enqueue makes a job wait for a worker, at the place that order gives it among its tenant's jobs in its language. A tenant that had no
-- waiting jobs gets the clock as its tag, or its old tag if that is larger.
local function enqueue(id, tenant, order, at)
  local language = redis.call('HGET', jobKey(id), 'language') or ''
  redis.call('ZADD', waiting(language, tenant), order, id)
  redis.call('ZADD', since(language), at, entry(id, tenant))
  local tag = redis.call('ZSCORE', TAGS, tenant)
  if not tag then
    tag = math.max(tonumber(redis.call('GET', CLOCK) or '0'), tonumber(redis.call('ZSCORE', IDLE, tenant) or '0'))
    redis.call('ZADD', TAGS, tag, tenant)
    redis.call('ZREM', IDLE, tenant)
  end
  if redis.call('ZADD', ring(language), tag, tenant) == 1 then redis.call('SADD', WAITED, language) end
  leaveToken(wakeFor(language))
end

-- dequeue removes a job from the waiting ones. It does not change its tenant's tag: see setTag.
local function dequeue(id, tenant, language)
  redis.call('ZREM', waiting(language, tenant), id)
  redis.call('ZREM', since(language), entry(id, tenant))
  if redis.call('EXISTS', waiting(language, tenant)) == 0 then
    redis.call('ZREM', ring(language), tenant)
    if redis.call('EXISTS', ring(language)) == 0 then redis.call('SREM', WAITED, language) end
  end
end

-- setTag sets a tenant's tag in each language in which it has waiting jobs; if there is none, the tag is kept for when it comes back.
local function setTag(tenant, tag)
  local waits = false
  for _, language in ipairs(redis.call('SMEMBERS', WAITED)) do
    if redis.call('ZSCORE', ring(language), tenant) then
      redis.call('ZADD', ring(language), tag, tenant)
      waits = true
    end
  end
  redis.call('ZADD', waits and TAGS or IDLE, tag, tenant)
  redis.call('ZREM', waits and IDLE or TAGS, tenant)
end

-- withdraw removes a waiting job without charging its tenant a start.
local function withdraw(id, tenant)
  dequeue(id, tenant, redis.call('HGET', jobKey(id), 'language') or '')
  local tag = redis.call('ZSCORE', TAGS, tenant)
  if tag then setTag(tenant, tag) end
end

-- freeSlot frees the job's slot: once, because the slot is the job's id in the set.
local function freeSlot(id, tenant)
  if redis.call('SREM', activeIDs(tenant), id) == 1 then
    redis.call('SET', activeJobs(tenant), redis.call('SCARD', activeIDs(tenant)))
  end
end

-- awaitArchive makes a finished job wait for the archive, if there is one.
local function awaitArchive(id, tenant, at)
  if redis.call('EXISTS', ARCHIVING) == 0 then return false end
  redis.call('ZADD', UNARCHIVED, at, entry(id, tenant))
  return true
end

-- finish puts a job into its final state; the other arguments are further fields of the hash. Only now the job gets an expiry: an
-- unfinished one neither expires nor can be evicted by a volatile-* policy.
local function finish(id, tenant, at, state, ...)
  local t = iso(at)
  redis.call('HSET', jobKey(id), 'status', state, 'completedAt', t, 'updatedAt', t, ...)
  redis.call('HDEL', jobKey(id), 'currentAttempt', 'worker')
  redis.call('EXPIRE', jobKey(id), awaitArchive(id, tenant, at) and math.max(JOB_TTL, ARCHIVE_TTL) or JOB_TTL)
  recountStored(id, tenant, at)
  redis.call('ZREM', LEASES, entry(id, tenant))
  freeSlot(id, tenant)
  redis.call('HINCRBY', STATS, state, 1)
  addToTally(at, state, 1)
  redis.call('PUBLISH', FINISHED, id)
  redis.call('PUBLISH', CHANGED, id)
  if redis.call('HEXISTS', jobKey(id), 'webhookUrl') == 1 then
    redis.call('ZADD', HOOKS, at, entry(id, tenant))
    leaveToken(HOOK_WAKE)
  end
end

-- noCost has the billing fields of a job that costs nothing.
local noCost = { 'estimatedCostUsd', '0.00000000', 'billableDurationMs', '0', 'costModelVersion', 'fargate-v1' }

-- failJob finishes a job without a result. message is for the tenant, cause for operators.
local function failJob(id, tenant, at, message, cause)
  finish(id, tenant, at, 'failed', 'error', message, 'cause', cause, 'failureCategory', 'infrastructure', unpack(noCost))
  auditJob(at, id, tenant, 'worker', 'job_failed', { error = message })
end

-- deadLetter is failJob plus an entry in the dead-letter list, from which it removes the old entries.
local function deadLetter(id, tenant, at, message, cause)
  failJob(id, tenant, at, message, cause)
  redis.call('HSET', jobKey(id), 'deadLetteredAt', iso(at))
  redis.call('EXPIRE', jobKey(id), math.max(DEAD_TTL, JOB_TTL))
  redis.call('ZADD', DEAD, at, entry(id, tenant))
  redis.call('ZREMRANGEBYSCORE', DEAD, '-inf', at - DEAD_TTL * 1000)
  redis.call('HINCRBY', STATS, 'dead', 1)
  auditJob(at, id, tenant, 'worker', 'job_dead_lettered', { dlqJobId = id .. '-dlq-' .. string.format('%.0f', at), reason = message })
end

-- markRetrying records that a job comes back after an attempt that failed by our fault.
local function markRetrying(id, tenant, at, message, cause)
  redis.call('HSET', jobKey(id), 'status', 'retrying', 'error', message, 'cause', cause, 'retryScheduledAt', iso(at), 'updatedAt', iso(at))
  auditJob(at, id, tenant, 'worker', 'job_retrying',
    { nextAttemptNumber = redis.call('HGET', jobKey(id), 'attemptsMade') + 1, error = message })
  redis.call('PUBLISH', CHANGED, id)
end

-- cancelJob finishes a job that its tenant cancelled before it had a result.
local function cancelJob(id, tenant, at, actor)
  finish(id, tenant, at, 'cancelled', 'failureCategory', 'none', unpack(noCost))
  auditJob(at, id, tenant, actor, 'job_cancelled', {})
end

-- graceEnd records that a process talks to Redis, and returns the time until which no lease is taken over (ms). If none did for SILENCE,
-- it was Redis that was unreachable, and not a worker: all workers get the length of a lease to renew theirs.
local function graceEnd(at)
  local last, ends = redis.call('GET', LAST_STEP), tonumber(redis.call('GET', GRACE) or '0')
  redis.call('SET', LAST_STEP, at)
  if last and at - last > SILENCE then
    ends = at + LEASE
    redis.call('SET', GRACE, ends, 'PX', LEASE)
  end
  return ends
end

-- requeueDue puts back due jobs: those whose lease expired, and delayed retries. Of each at most 16, so that no step is long; the next
-- step takes the rest.
local function requeueDue(at)
  local takeOver = graceEnd(at) <= at and redis.call('ZRANGEBYSCORE', LEASES, '-inf', at, 'LIMIT', 0, 16) or {}
  for _, e in ipairs(takeOver) do
    local id, tenant = split(e)
    redis.call('ZREM', LEASES, e)
    local f = redis.call('HMGET', jobKey(id), 'attemptsMade', 'maxAttempts', 'order', 'cancelRequestedAt', 'worker')
    if not f[1] then
      freeSlot(id, tenant)
    elseif f[4] then
      cancelJob(id, tenant, at, 'worker')
    elseif tonumber(f[1]) >= tonumber(f[2]) then
      deadLetter(id, tenant, at, 'the job was interrupted at each attempt', 'worker ' .. f[5] .. ' let the lease of the last attempt expire')
    else
      markRetrying(id, tenant, at, 'the attempt was interrupted', 'worker ' .. f[5] .. ' let its lease expire')
      enqueue(id, tenant, f[3], at)
    end
  end
  for _, e in ipairs(redis.call('ZRANGEBYSCORE', DELAYED, '-inf', at, 'LIMIT', 0, 16)) do
    local id, tenant = split(e)
    redis.call('ZREM', DELAYED, e)
    local order = redis.call('HGET', jobKey(id), 'order')
    if order then enqueue(id, tenant, order, at) else freeSlot(id, tenant) end
  end
end

-- holdsLease reports whether the caller still has the lease: the job runs, and this claim is the last one.
local function holdsLease(id, claim)
  local f = redis.call('HMGET', jobKey(id), 'status', 'claims')
  return f[1] == 'running' and f[2] == claim
end
