-- What several steps share. Each paragraph is a definition, and a step has those that it uses (link.go), behind the key names (keys.go)
-- and before its own file. JOB_TTL, DEAD_TTL, DAILY_TTL,
-- COST_TTL and ARCHIVE_TTL (seconds), LEASE and MAX_WAIT (ms), HISTORY_MAX, AUDIT_MAX and AUDIT_ALL_MAX come from Options; EVENTS_MAX, RELEASES_MAX, MAX_BLOCK, SILENCE
-- and TALLY (ms), RATE_STEPS, TALLY_TTL, KEEP_LANGUAGE (ms), JOB_BYTES, HOOK_BYTES and STORED_TTL (seconds) are fixed.

local floor = math.floor

-- now is Redis's clock in ms: the one clock that all processes share.
local function now()
  local t = redis.call('TIME')
  return t[1] * 1000 + floor(t[2] / 1000)
end

-- iso formats ms as 2026-01-31T23:59:59.999Z. The day is found as in Howard Hinnant's civil_from_days, as scripts have no os.date.
local function iso(ms)
  local days = floor(ms / 86400000)
  local rest = ms - days * 86400000
  local z = days + 719468
  local era = floor(z / 146097)
  local doe = z - era * 146097
  local yoe = floor((doe - floor(doe / 1460) + floor(doe / 36524) - floor(doe / 146096)) / 365)
  local doy = doe - (365 * yoe + floor(yoe / 4) - floor(yoe / 100))
  local mp = floor((5 * doy + 2) / 153)
  local d = doy - floor((153 * mp + 2) / 5) + 1
  local m = mp < 10 and mp + 3 or mp - 9
  local y = yoe + era * 400 + (m <= 2 and 1 or 0)
  return string.format('%04d-%02d-%02dT%02d:%02d:%02d.%03dZ', y, m, d,
    floor(rest / 3600000), floor(rest / 60000) % 60, floor(rest / 1000) % 60, rest % 1000)
end

local function dateOf(ms) return string.sub(iso(ms), 1, 10) end

-- entry is a member of LEASES, DELAYED and DEAD. It carries the tenant, so a slot can be given back even if the hash is gone.
-- Ids have no spaces.
local function entry(id, tenant) return id .. ' ' .. tenant end
local function split(e) return string.match(e, '^(%S+) (.*)$') end

-- proceed lets a step go on though Redis has no memory left. Of a step Redis refuses then only the first write, and only one that needs
-- memory; this one needs none. It is for steps that end something, and for those that put it off until there is memory again.
local function ignoreOOM() redis.call('DEL', NOTHING) end

-- audit appends an event to its tenant's trail and to the one of all tenants. Each entry carries the hash of the one before and
-- of itself, and the head of the chain is kept apart: what is changed, left out or cut off shows (see audit.go, which has the same
-- hash). id is '' for an event without a job; metadata is a JSON object.
local function audit(at, tenant, actor, action, id, metadata)
  local head = redis.call('HMGET', auditHead(tenant), 'seq', 'hash')
  local seq, prev, t = string.format('%.0f', (head[1] or 0) + 1), head[2] or '', iso(at)
  local fields = { prev, seq, t, actor, action, tenant, id, metadata }
  local text = {}
  for i, f in ipairs(fields) do text[i] = #f .. ':' .. f end
  local hash = redis.sha1hex(table.concat(text))
  redis.call('HSET', auditHead(tenant), 'seq', seq, 'hash', hash)
  local place = redis.call('XADD', auditTrail(tenant), 'MAXLEN', '~', AUDIT_MAX, '*', 'timestamp', t, 'actor', actor, 'action', action,
    'tenantId', tenant, 'jobId', id, 'metadata', metadata, 'seq', seq, 'prev', prev, 'hash', hash)
  redis.call('XADD', AUDIT, 'MAXLEN', '~', AUDIT_ALL_MAX, '*', 'timestamp', t, 'actor', actor, 'action', action,
    'tenantId', tenant, 'jobId', id, 'metadata', metadata, 'seq', seq, 'prev', prev, 'hash', hash, 'trail', place)
end

-- auditJob is audit for what happens to a job; metadata is a table and gets the job's trace id.
local function auditJob(at, id, tenant, actor, action, metadata)
  metadata.traceId = redis.call('HGET', jobKey(id), 'traceId') or ''
  audit(at, tenant, actor, action, id, cjson.encode(metadata))
end

-- countRequest admits a request unless limit of that kind were admitted in the window (seconds) that ends now. It returns how many are counted
-- (those admitted in that window, and those refused since the last one that was admitted), when the last of them leaves the window, and
-- when a request is admitted again (ms). Of the refused ones the audit has one a window: more would be a way to flush it.
-- The key holds "admitted refused audited", then " last:n" for n requests admitted together, the oldest first: last is the time of the last
-- of them, and audited that of the last entry in the audit. Where the limit is more than RATE_STEPS, those of one RATE_STEPS-th of the window
-- stand together and leave together, so a key has a bounded size.
local function countRequest(tenant, kind, window, limit, clock, action, trace, method, path)
  local key, length, at = rateKey(tenant, kind), window * 1000, clock
  local admitted, refused, audited, log = string.match(redis.call('GET', key) or '', '^(%d+) (%d+) (%d+)(.*)$')
  admitted, refused, audited, log = tonumber(admitted or 0), tonumber(refused or 0), tonumber(audited or 0), log or ''
  local older, newest, together = string.match(log, '^(.*) (%d+):(%d+)$')
  if newest then at = math.max(at, tonumber(newest)) end -- Redis's clock was set back
  local from, _, stop, last, n = 1, string.find(log, '^ (%d+):(%d+)')
  while last and last + length <= at do
    admitted, from = admitted - n, stop + 1
    _, stop, last, n = string.find(log, '^ (%d+):(%d+)', from)
  end
  log = string.sub(log, from)
  local step = limit > RATE_STEPS and length / RATE_STEPS or 1
  if admitted >= limit then
    refused = refused + 1
  elseif log ~= '' and floor(newest / step) == floor(at / step) then
    admitted, refused, log = admitted + 1, 0, string.format('%s %.0f:%.0f', string.sub(older, from), at, together + 1)
  else
    admitted, refused, log = admitted + 1, 0, string.format('%s %.0f:1', log, at)
  end
  local leaves, again, left = length + (string.match(log, ' (%d+):%d+$') or at), at, admitted
  for l, k in string.gmatch(log, ' (%d+):(%d+)') do
    if left < limit then break end
    left, again = left - k, l + length
  end
  if refused > 0 and at - audited >= length then
    audited = at
    audit(clock, tenant, 'api', action, '', cjson.encode({ traceId = trace, method = method, path = path, limit = limit,
      used = admitted + refused, retryAfterSeconds = math.max(1, math.ceil((again - clock) / 1000)) }))
  end
  redis.call('SET', key, string.format('%.0f %.0f %.0f%s', admitted, refused, audited, log), 'PX', string.format('%.0f', at - clock + length))
  return { admitted + refused, leaves, again }
end

-- count adds to the tally of this time.
local function addToTally(at, field, n)
  local key = tally(floor(at / TALLY))
  if redis.call('HINCRBY', key, field, n) == n then redis.call('EXPIRE', key, TALLY_TTL) end
end

-- nudge leaves a token for those who wait at that list. One is enough: who takes it and finds more work nudges again.
local function leaveToken(list)
  if redis.call('LLEN', list) == 0 then redis.call('RPUSH', list, '1') end
end

-- push makes a job wait for a worker, at the place that order gives it among its tenant's jobs in its language. A tenant that had none
-- gets the clock as its tag, or more by what it has already been given.
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

-- leave takes a job out of those that wait. It does not move its tenant's tag: see place.
local function dequeue(id, tenant, language)
  redis.call('ZREM', waiting(language, tenant), id)
  redis.call('ZREM', since(language), entry(id, tenant))
  if redis.call('EXISTS', waiting(language, tenant)) == 0 then
    redis.call('ZREM', ring(language), tenant)
    if redis.call('EXISTS', ring(language)) == 0 then redis.call('SREM', WAITED, language) end
  end
end

-- place gives a tenant that tag wherever it has jobs that wait; where it has none, its tag is kept for when it comes back.
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

-- withdraw takes a job that waits back, at no charge to its tenant.
local function withdraw(id, tenant)
  dequeue(id, tenant, redis.call('HGET', jobKey(id), 'language') or '')
  local tag = redis.call('ZSCORE', TAGS, tenant)
  if tag then setTag(tenant, tag) end
end

-- freeSlot gives the job's slot back: once, because the slot is the job's id in the set.
local function freeSlot(id, tenant)
  if redis.call('SREM', activeIDs(tenant), id) == 1 then
    redis.call('SET', activeJobs(tenant), redis.call('SCARD', activeIDs(tenant)))
  end
end

-- isFinal says whether a job in that state never changes it again.
local function isFinal(state) return state == 'succeeded' or state == 'failed' or state == 'cancelled' end

-- toArchive makes a finished job wait for the archive, if there is one.
local function awaitArchive(id, tenant, at)
  if redis.call('EXISTS', ARCHIVING) == 0 then return false end
  redis.call('ZADD', UNARCHIVED, at, entry(id, tenant))
  return true
end

-- recountStored counts anew what a job takes: its large fields, its live events, and what it may yet store (reservedBytes) until it is finished.
-- It returns the tenant's sum. A finished job is counted again when it should have expired, so the sum is right whatever has happened to it. It
-- runs in most steps of a job, so it reads only the fields that a job in that state can have.
local function recountStored(id, tenant, at)
  local key, size, again = jobKey(id), 0, JOB_TTL * 1000
  local f = redis.call('HMGET', key, 'tenantId', 'status', 'reservedBytes', 'eventBytes', 'webhookUrl')
  if f[1] == tenant then
    size = JOB_BYTES + (f[5] and HOOK_BYTES or 0)
    for _, name in ipairs({ 'sourceCode', 'stdin', 'spec', 'analysis' }) do size = size + redis.call('HSTRLEN', key, name) end
    if isFinal(f[2]) then
      for _, name in ipairs({ 'result', 'outputFiles', 'summary' }) do size = size + redis.call('HSTRLEN', key, name) end
      local left = redis.call('PTTL', key)
      if left >= 0 then again = left end
    else
      size = size + (f[3] or 0)
    end
    local live = f[4] and redis.call('PTTL', events(id)) or -2
    if live >= 0 then size, again = size + f[4], math.min(again, live) end
  end
  local more = size - (redis.call('HGET', stored(tenant), id) or 0)
  local sum = redis.call('HINCRBY', stored(tenant), '', string.format('%.0f', more))
  if size > 0 then
    redis.call('HSET', stored(tenant), id, string.format('%.0f', size))
    redis.call('ZADD', storedUntil(tenant), at + again + 1, id)
  else
    redis.call('HDEL', stored(tenant), id)
    redis.call('ZREM', storedUntil(tenant), id)
    if redis.call('HLEN', stored(tenant)) == 1 then redis.call('DEL', stored(tenant)) end
  end
  redis.call('EXPIRE', stored(tenant), STORED_TTL)
  redis.call('EXPIRE', storedUntil(tenant), STORED_TTL)
  return sum
end

-- recountDue counts anew the first n jobs that are due for it. It works when Redis has no memory left: that is when it matters.
local function recountDue(tenant, at, n)
  local list = redis.call('ZRANGEBYSCORE', storedUntil(tenant), '-inf', at, 'LIMIT', 0, n)
  if #list > 0 then ignoreOOM() end
  for _, id in ipairs(list) do recountStored(id, tenant, at) end
end

-- finish puts a job into its final state; the rest of the arguments are further fields of the hash. Only now it gets an expiry:
-- an unfinished job neither expires nor falls to a volatile-* eviction policy.
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

-- free are the billing fields of a job that costs nothing.
local noCost = { 'estimatedCostUsd', '0.00000000', 'billableDurationMs', '0', 'costModelVersion', 'fargate-v1' }

-- failed finishes a job that never got a result. message is for the tenant, cause for operators.
local function failJob(id, tenant, at, message, cause)
  finish(id, tenant, at, 'failed', 'error', message, 'cause', cause, 'failureCategory', 'infrastructure', unpack(noCost))
  auditJob(at, id, tenant, 'worker', 'job_failed', { error = message })
end

-- bury is failed plus a place in the dead-letter list; what died too long ago leaves it.
local function deadLetter(id, tenant, at, message, cause)
  failJob(id, tenant, at, message, cause)
  redis.call('HSET', jobKey(id), 'deadLetteredAt', iso(at))
  redis.call('EXPIRE', jobKey(id), math.max(DEAD_TTL, JOB_TTL))
  redis.call('ZADD', DEAD, at, entry(id, tenant))
  redis.call('ZREMRANGEBYSCORE', DEAD, '-inf', at - DEAD_TTL * 1000)
  redis.call('HINCRBY', STATS, 'dead', 1)
  auditJob(at, id, tenant, 'worker', 'job_dead_lettered', { dlqJobId = id .. '-dlq-' .. string.format('%.0f', at), reason = message })
end

-- retrying notes that a job comes back after an attempt that failed by our fault.
local function markRetrying(id, tenant, at, message, cause)
  redis.call('HSET', jobKey(id), 'status', 'retrying', 'error', message, 'cause', cause, 'retryScheduledAt', iso(at), 'updatedAt', iso(at))
  auditJob(at, id, tenant, 'worker', 'job_retrying',
    { nextAttemptNumber = redis.call('HGET', jobKey(id), 'attemptsMade') + 1, error = message })
  redis.call('PUBLISH', CHANGED, id)
end

-- cancelled finishes a job that its tenant took back before it had a result.
local function cancelJob(id, tenant, at, actor)
  finish(id, tenant, at, 'cancelled', 'failureCategory', 'none', unpack(noCost))
  auditJob(at, id, tenant, actor, 'job_cancelled', {})
end

-- quiet notes that somebody talks to Redis, and returns until when no lease is taken from its worker (ms). When nobody did for long, it
-- was Redis that was away, and not one worker: all of them get the time of a lease to say that they are there.
local function graceEnd(at)
  local last, ends = redis.call('GET', LAST_STEP), tonumber(redis.call('GET', GRACE) or '0')
  redis.call('SET', LAST_STEP, at)
  if last and at - last > SILENCE then
    ends = at + LEASE
    redis.call('SET', GRACE, ends, 'PX', LEASE)
  end
  return ends
end

-- due puts back what is due: jobs whose lease expired, and delayed retries. Of each at most 16, so that no step is long; what is left over
-- is due at once.
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

-- held says whether the caller still has the lease: the job runs, and it was claimed last by this very claim.
local function holdsLease(id, claim)
  local f = redis.call('HMGET', jobKey(id), 'status', 'claims')
  return f[1] == 'running' and f[2] == claim
end
