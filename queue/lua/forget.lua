-- SPDX-License-Identifier: Apache-2.0
-- Removes a language: it can't be submitted until a worker offers it again.
-- KEYS  none: names come from keys.go
-- ARGV  name
-- returns 1 if it was known, else 0

redis.call('ZREM', OFFERED, ARGV[1])
return redis.call('HDEL', LANGUAGES, ARGV[1])
