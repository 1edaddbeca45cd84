-- Admits one job: quota, job hash, history, queue. All of it or nothing.
-- KEYS  none: names come from keys.go
-- ARGV  id, tenant, maxConcurrent, maxDaily, priority, then field, value ... of the job hash
-- returns {outcome, active, daily}; outcome is 'ok', 'exists' (the same tenant's job of that id: nothing changed), 'taken'
--         (another tenant's), 'max_concurrent_jobs' or 'max_daily_jobs'

local id, tenant, maxConcurrent, maxDaily, priority = ARGV[1], ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[5])
local at = now()
local t = iso(at)
local daily = dailyJobs(tenant, string.sub(t, 1, 10))
local active, today = redis.call('SCARD', activeIDs(tenant)), tonumber(redis.call('GET', daily) or '0')

local owner = redis.call('HGET', jobKey(id), 'tenantId')
if owner then return { owner == tenant and 'exists' or 'taken', active, today } end
if active >= maxConcurrent then return { 'max_concurrent_jobs', active, today } end
if today >= maxDaily then return { 'max_daily_jobs', active, today } end

redis.call('SADD', activeIDs(tenant), id)
redis.call('SET', activeJobs(tenant), active + 1)
if redis.call('INCR', daily) == 1 then redis.call('EXPIRE', daily, DAILY_TTL) end

-- 2^50 jobs fit between two priorities, and all of it into the 53 bits of a score.
local order = redis.call('INCR', ORDER) - priority * 2 ^ 50
redis.call('HSET', jobKey(id), 'jobId', id, 'tenantId', tenant, 'status', 'queued', 'createdAt', t, 'updatedAt', t,
  'attemptsMade', '0', 'currentAttempt', '1', 'claims', '0', 'order', order, 'priority', priority, unpack(ARGV, 6))

redis.call('ZADD', history(tenant), at, id)
redis.call('ZREMRANGEBYRANK', history(tenant), 0, -(HISTORY_MAX + 1))
redis.call('EXPIRE', history(tenant), JOB_TTL)
push(id, tenant, order)
return { 'ok', active + 1, today + 1 }
