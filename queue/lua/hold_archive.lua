-- SPDX-License-Identifier: Apache-2.0
-- Takes or renews the lease of the one caller that archives. From now on finished jobs wait for the archive.
-- KEYS  none: names come from keys.go
-- ARGV  holder, length of the lease (ms), for how long finished jobs wait from now on (seconds)
-- returns 1, or 0 when another caller has the lease

ignoreOOM()
redis.call('SET', ARCHIVING, '1', 'EX', ARGV[3])
local holder = redis.call('GET', ARCHIVER)
if holder and holder ~= ARGV[1] then return 0 end
redis.call('SET', ARCHIVER, ARGV[1], 'PX', ARGV[2])
return 1
