-- SPDX-License-Identifier: Apache-2.0
-- Appends one event to the audit.
-- KEYS  none: names come from keys.go
-- ARGV  tenant, actor, action, job id, metadata (JSON)

ignoreOOM()
audit(now(), ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5])
return 'ok'
