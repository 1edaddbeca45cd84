// SPDX-License-Identifier: Apache-2.0

package main

import (
	"cmp"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"time"

	"github.com/ccee-dev/ccee/queue"

	"github.com/urfave/cli/v3"
)

const defaultRedisURL = "redis://localhost:6379"

// redisHelp explains REDIS_URL, which has no flag.
const redisHelp = `REDIS_URL is the address of Redis: redis://[USER:PASSWORD@]HOST:PORT, rediss:// for TLS, or unix:///PATH
(default ` + defaultRedisURL + `). It has no flag, as arguments are visible to every user of the machine.`

// queueFlags are the settings of the queue, which worker and api must agree on.
func queueFlags() []cli.Flag {
	return []cli.Flag{
		stringFlag("queue-name", "JOB_QUEUE_NAME", "code-jobs", "`NAME` of the queue in Redis"),
		stringFlag("dlq-name", "DLQ_QUEUE_NAME", "code-jobs-dlq", "`NAME` of the dead-letter list"),
		intFlag("job-ttl-s", "JOB_TTL_SECONDS", 86_400, 1, 31_536_000, "seconds that a finished job is kept"),
		intFlag("daily-quota-ttl-s", "DAILY_QUOTA_TTL_SECONDS", 172_800, 1, 31_536_000, "seconds that a day's count of jobs is kept"),
		intFlag("history-max", "JOB_HISTORY_MAX", 500, 1, 10_000, "jobs in a tenant's history"),
		stringFlag("audit-key", "AUDIT_STREAM_KEY", "audit:events", "`KEY` of the stream with the audit of all tenants"),
		intFlag("audit-max", "AUDIT_TENANT_MAX", 2000, 1, 1_000_000, "events kept of a tenant's audit, about"),
		intFlag("audit-all-max", "AUDIT_STREAM_MAX", 100_000, 1, 10_000_000, "events kept of the audit of all tenants, about"),
		intFlag("retry-backoff-ms", "QUEUE_RETRY_BACKOFF_MS", 1000, 1, 60_000, "milliseconds before the first retry, doubled before each further one"),
		intFlag("retry-max-ms", "QUEUE_RETRY_MAX_DELAY_MS", 60_000, 1, 300_000, "milliseconds before a retry at most"),
	}
}

// hintOwnRedis says where the Redis of ccee up is, to somebody who has set no REDIS_URL.
func hintOwnRedis() string {
	if os.Getenv("REDIS_URL") != "" {
		return ""
	}
	data := cmp.Or(os.Getenv("CCEE_DATA"), defaultData)
	return fmt.Sprintf(" (REDIS_URL is not set; the Redis that ccee up starts is unix://%s, for root)", filepath.Join(data, "redis/redis.sock"))
}

// hinted adds hintOwnRedis to err where Redis could not be reached.
func hinted(err error) error {
	if hint := hintOwnRedis(); hint != "" && errors.As(err, new(*net.OpError)) {
		return fmt.Errorf("%w%s", err, hint)
	}
	return err
}

// maxWaitFlag is for the api, which ends the jobs that waited too long.
func maxWaitFlag() cli.Flag {
	return intFlag("max-wait-s", "QUEUE_MAX_WAIT_SECONDS", 21_600, 10, 2_592_000, "seconds after which a job fails that waits for a language that no worker offers")
}

// openQueue makes a Queue of the queueFlags and REDIS_URL. It does not connect.
func openQueue(cmd *cli.Command) (*queue.Queue, error) {
	url := os.Getenv("REDIS_URL")
	if url == "" {
		url = defaultRedisURL
	}
	seconds := func(flag string) time.Duration { return time.Duration(cmd.Int64(flag)) * time.Second }
	q, err := queue.Open(url, queue.Options{
		Name: cmd.String("queue-name"), DeadLetterName: cmd.String("dlq-name"),
		JobTTL: seconds("job-ttl-s"), DailyQuotaTTL: seconds("daily-quota-ttl-s"), HistoryMax: int(cmd.Int64("history-max")),
		AuditName: cmd.String("audit-key"), AuditMax: int(cmd.Int64("audit-max")), AuditAllMax: int(cmd.Int64("audit-all-max")),
		RetryBackoff: milliseconds(cmd, "retry-backoff-ms"), RetryMaxDelay: milliseconds(cmd, "retry-max-ms"),
		MaxWait: seconds("max-wait-s"), // 0, the default, except in the api
	})
	if err != nil {
		return nil, fmt.Errorf("REDIS_URL: %w", err)
	}
	return q, nil
}
