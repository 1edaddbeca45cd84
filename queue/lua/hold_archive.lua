-- Makes the caller the one that archives, and finished jobs wait for it.
-- KEYS  none: names come from keys.go
-- ARGV  holder, ms, seconds for which finished jobs wait from now on
-- returns 1, or 0 when another one is

ignoreOOM()
redis.call('SET', ARCHIVING, '1', 'EX', ARGV[3])
local holder = redis.call('GET', ARCHIVER)
if holder and holder ~= ARGV[1] then return 0 end
redis.call('SET', ARCHIVER, ARGV[1], 'PX', ARGV[2])
return 1
