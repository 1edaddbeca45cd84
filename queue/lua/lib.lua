-- SPDX-License-Identifier: Apache-2.0
-- What several steps share. Each paragraph is a definition. A step gets those that it uses (link.go) before its own text, after the names
-- of keys (keys.go). The constants are in steps.go: JOB_TTL, DEAD_TTL, DAILY_TTL, COST_TTL, ARCHIVE_TTL, TALLY_TTL and STORED_TTL are in
-- seconds, LEASE, MAX_WAIT, MAX_BLOCK, SILENCE, TALLY and KEEP_LANGUAGE in milliseconds, JOB_BYTES and HOOK_BYTES in bytes.

local floor = math.floor

-- now returns Redis's clock in ms: the one clock that all processes share.
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

-- entry returns a member of LEASES, DELAYED and DEAD. It has the tenant, so that a slot can be freed even if the hash doesn't exist any
-- more. Ids have no spaces.
local function entry(id, tenant) return id .. ' ' .. tenant end
local function split(e) return string.match(e, '^(%S+) (.*)$') end

-- ignoreOOM lets a step write although Redis has no memory left. Redis then refuses only the first write of a step, and only if that
-- needs memory; this one doesn't. It is for steps that end something, or that postpone it until there is memory again.
local function ignoreOOM() redis.call('DEL', NOTHING) end

-- audit appends an event to its tenant's trail and to the one of all tenants. Each entry has the hash of the one before and its own, and
-- the head of the chain is kept separately: an entry that is changed or removed breaks the chain (audit.go has the same hash). id is ''
-- for an event without a job; metadata is a JSON object.
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

-- auditJob is audit for an event of a job; metadata is a table and gets the job's trace id.
local function auditJob(at, id, tenant, actor, action, metadata)
  metadata.traceId = redis.call('HGET', jobKey(id), 'traceId') or ''
  audit(at, tenant, actor, action, id, cjson.encode(metadata))
end

-- countRequest admits a request unless limit of that kind were admitted in the window (seconds) that ends now. It returns how many are
-- counted (those admitted in that window, and those refused since the last one that was admitted), when the last of them leaves the
-- window, and when a request is admitted again (ms). Of the refused ones the audit has one a window: more would be a way to flush it. The
-- key holds "admitted refused audited", then " last:n" for n requests admitted together, the oldest first: last is the time of the last
-- of them, and audited that of the last entry in the audit. Where the limit is more than RATE_STEPS, those of one RATE_STEPS-th of the
-- window stand together and leave together, so a key has a bounded size.
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

-- addToTally adds n to a field of the present tally.
local function addToTally(at, field, n)
  local key = tally(floor(at / TALLY))
  if redis.call('HINCRBY', key, field, n) == n then redis.call('EXPIRE', key, TALLY_TTL) end
end

-- leaveToken wakes one of those who wait at that list. One token is enough: a worker that takes it and finds more work leaves another.
local function leaveToken(list)
  if redis.call('LLEN', list) == 0 then redis.call('RPUSH', list, '1') end
end

-- countWaiting returns how many jobs wait for a worker, and how many of them are in languages that no worker offers.
local function countWaiting(at)
  local n, stuck = 0, 0
  for _, language in ipairs(redis.call('SMEMBERS', WAITED)) do
    local jobs = redis.call('ZCARD', since(language))
    n = n + jobs
    if at >= tonumber(redis.call('ZSCORE', OFFERED, language) or 0) then stuck = stuck + jobs end
  end
  return n, stuck
end

-- countWorkers returns how many workers are alive, and how many of them can run jobs.
local function countWorkers(at)
  local alive, ready = 0, 0
  for _, worker in ipairs(redis.call('ZRANGEBYSCORE', WORKERS, at, '+inf')) do
    alive = alive + 1
    if redis.call('HGET', RUNTIMES, worker) ~= '[]' then ready = ready + 1 end
  end
  return alive, ready
end

-- isFinal reports whether a state never changes again.
local function isFinal(state) return state == 'succeeded' or state == 'failed' or state == 'cancelled' end

-- recountStored counts anew what a job takes: its large fields, its live events, and what it may yet store (reservedBytes) until it is
-- finished. It returns the tenant's sum. A finished job is counted again when it should have expired, so the sum is right whatever has
-- happened to it. It runs in most steps of a job, so it reads only the fields that a job in that state can have.
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
