-- SPDX-License-Identifier: Apache-2.0
-- Admits one job: both request limits, quota, job hash, history, audit, queue. A refused one leaves nothing but its count.
-- KEYS  none: names come from keys.go
-- ARGV  1 id, 2 tenant, 3 priority, 4 maxConcurrent, 5 maxDaily,
--       6 window (seconds), 7 requestLimit, 8 submitLimit (each 0: no limit),
--       9 idempotency key ('' for none), 10 digest of the request under that key, 11 seconds for which the key holds,
--       12 traceId, 13 path of the request, 14 audit metadata (JSON; '': no event), 15 maxStored (bytes), 16 bytes reserved for the
--       job's output, 17 how many more bytes may be stored by all ('' if unknown),
--       then field, value ... of the job hash
-- returns {outcome, id, active, daily, requests, submits (of both what countRequest returns, {} where it was not called), now (ms), stored,
--          when some of it expires (ms)};
--         outcome is 'ok';
--         'exists' (the same tenant's job of that id: nothing changed); 'replayed' (the key admitted job id before), 'reused' (the
--         key was used for another request); 'taken' (the id is another tenant's); 'rate_limited', 'submit_rate_limited';
--         'max_concurrent_jobs', 'max_daily_jobs' or 'max_stored_bytes'; 'full' (Redis has little memory left, and this tenant
--         uses more than that)

local id, tenant, priority = ARGV[1], ARGV[2], tonumber(ARGV[3])
local maxConcurrent, maxDaily, window = tonumber(ARGV[4]), tonumber(ARGV[5]), tonumber(ARGV[6])
local trace, path, maxStored, reserved, room = ARGV[12], ARGV[13], tonumber(ARGV[15]), tonumber(ARGV[16]), tonumber(ARGV[17])
local FIELDS = 18
local at = now()
local t = iso(at)
local daily = dailyJobs(tenant, string.sub(t, 1, 10))
local active, today = redis.call('SCARD', activeIDs(tenant)), tonumber(redis.call('GET', daily) or '0')
local requests, submits, bytes = {}, {}, 0

local function answer(outcome, which)
  local next = redis.call('ZRANGE', storedUntil(tenant), 0, 0, 'WITHSCORES')[2]
  return { outcome, which or id, active, today, requests, submits, at, bytes, math.max(at, tonumber(next or at)) }
end

-- tooMuch reports whether the job doesn't fit into the tenant's quota of bytes. A tenant without jobs may submit one of any size.
local function tooMuch()
  local size = JOB_BYTES + reserved
  for i = FIELDS + 1, #ARGV, 2 do size = size + #ARGV[i] end
  local function look()
    bytes = tonumber(redis.call('HGET', stored(tenant), '') or '0')
    return bytes > 0 and bytes + size > maxStored
  end
  recountDue(tenant, at, 16)
  if not look() then return false end
  -- Before it is refused: recount more of the due jobs, and some of the others, in case somebody deleted jobs by hand.
  recountDue(tenant, at, 200)
  local from = at % redis.call('ZCARD', storedUntil(tenant))
  for _, one in ipairs(redis.call('ZRANGE', storedUntil(tenant), from, from + 49)) do recountStored(one, tenant, at) end
  return look()
end

if room and room <= 0 then ignoreOOM() end

local limit = tonumber(ARGV[7])
if limit > 0 then
  requests = countRequest(tenant, 'rate_limit', window, limit, at, 'rate_limited', trace, 'POST', path)
  if requests[1] > limit then return answer('rate_limited') end
end

local owner = redis.call('HGET', jobKey(id), 'tenantId')
if owner then return answer(owner == tenant and 'exists' or 'taken') end
local key = ARGV[9] ~= '' and idempotent(tenant, ARGV[9])
local before = key and redis.call('GET', key)
if before then
  local first, digest = split(before)
  return answer(digest == ARGV[10] and 'replayed' or 'reused', first)
end

limit = tonumber(ARGV[8])
if limit > 0 then
  submits = countRequest(tenant, 'submit_rate_limit', window, limit, at, 'submission_rejected_burst', trace, 'POST', path)
  if submits[1] > limit then return answer('submit_rate_limited') end
end

local full = active >= maxConcurrent and 'max_concurrent_jobs' or today >= maxDaily and 'max_daily_jobs' or tooMuch() and 'max_stored_bytes'
if full then
  audit(at, tenant, 'api', 'submission_rejected_quota', '', cjson.encode({ traceId = trace, reason = full, activeJobs = active,
    dailyJobs = today, storedBytes = full == 'max_stored_bytes' and bytes or nil }))
  return answer(full)
end
if room and (room <= 0 or bytes > room) then return answer('full') end

redis.call('SADD', activeIDs(tenant), id)
redis.call('SET', activeJobs(tenant), active + 1)
if redis.call('INCR', daily) == 1 then redis.call('EXPIRE', daily, DAILY_TTL) end
if key then redis.call('SET', key, entry(id, ARGV[10]), 'EX', ARGV[11]) end

-- 2^50 jobs fit between two priorities, and all of it into the 53 bits of a score.
local order = redis.call('INCR', ORDER) - priority * 2 ^ 50
redis.call('HSET', jobKey(id), 'jobId', id, 'tenantId', tenant, 'status', 'queued', 'createdAt', t, 'updatedAt', t,
  'attemptsMade', '0', 'currentAttempt', '1', 'claims', '0', 'order', order, 'priority', priority, 'traceId', trace,
  'reservedBytes', ARGV[16], unpack(ARGV, FIELDS))
bytes = recountStored(id, tenant, at)

redis.call('ZADD', history(tenant), at, id)
local over = redis.call('ZCARD', history(tenant)) - HISTORY_MAX
if over > 0 then redis.call('ZREMRANGEBYRANK', history(tenant), 0, over - 1) end
redis.call('EXPIRE', history(tenant), JOB_TTL)
if ARGV[14] ~= '' then audit(at, tenant, 'api', 'job_submitted', id, ARGV[14]) end
addToTally(at, 'submitted', 1)
enqueue(id, tenant, order, at)
active, today = active + 1, today + 1
return answer('ok')
