-- SPDX-License-Identifier: Apache-2.0
-- Counts one request of a tenant.
-- KEYS  none: names come from keys.go
-- ARGV  tenant, limit, window (seconds), traceId, method, path
-- returns {what countRequest returns, now (ms)}

ignoreOOM()
local at = now()
return { countRequest(ARGV[1], 'rate_limit', tonumber(ARGV[3]), tonumber(ARGV[2]), at, 'rate_limited', ARGV[4], ARGV[5], ARGV[6]), at }
