// SPDX-License-Identifier: Apache-2.0

package queue

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/logging"
	"github.com/redis/go-redis/v9/maintnotifications"
)

const (
	opTimeout = 3 * time.Second // for a step, connecting included
	maxBlock  = 5 * time.Second // the longest wait of an idle worker before it tries again; see doc.go, Waking
	costTTL   = 35 * 24 * time.Hour

	// silence is how long no process has talked to Redis when it must have been Redis that was unreachable. An idle worker talks to it
	// each maxBlock.
	silence      = maxBlock + maxBlock/2
	keepLanguage = 30 * 24 * time.Hour // how long a language can be submitted after the last worker that offered it
)

// Options are the queue's settings. A zero field means its default. The processes that share a queue must agree on Name and
// DeadLetterName; the others apply to the steps of the process that has them.
type Options struct {
	Name           string        // "code-jobs"
	DeadLetterName string        // "code-jobs-dlq"
	JobTTL         time.Duration // how long a finished job is kept: 24 h
	DeadLetterTTL  time.Duration // how long a dead-lettered job is kept: 14 days
	DailyQuotaTTL  time.Duration // how long a day's count of submissions is kept: 48 h
	HistoryMax     int           // jobs in a tenant's history: 500
	AuditName      string        // key of the stream with the audit of all tenants: "audit:events"
	AuditMax       int           // entries of one tenant's audit, about: 2,000
	AuditAllMax    int           // entries of the audit of all tenants, about: 100,000
	Lease          time.Duration // after how long without a renewal a job is taken over: 15 s
	RetryBackoff   time.Duration // base of the delay before a retry: 1 s
	RetryMaxDelay  time.Duration // upper bound of that delay: 60 s
	MaxWait        time.Duration // how long a job waits for a worker while nobody offers its language: 6 h
}

func (o Options) withDefaults() Options {
	setDefault(&o.Name, "code-jobs")
	setDefault(&o.DeadLetterName, "code-jobs-dlq")
	setDefault(&o.JobTTL, 24*time.Hour)
	setDefault(&o.DeadLetterTTL, 14*24*time.Hour)
	setDefault(&o.DailyQuotaTTL, 48*time.Hour)
	setDefault(&o.HistoryMax, 500)
	setDefault(&o.AuditName, "audit:events")
	setDefault(&o.AuditMax, 2000)
	setDefault(&o.AuditAllMax, 100_000)
	setDefault(&o.Lease, 15*time.Second)
	setDefault(&o.RetryBackoff, time.Second)
	setDefault(&o.RetryMaxDelay, 60*time.Second)
	setDefault(&o.MaxWait, 6*time.Hour)
	return o
}

// check rejects values with which no script can work.
func (o Options) check() error {
	for _, d := range []struct {
		name     string
		got, min time.Duration
	}{
		{"JobTTL", o.JobTTL, time.Second}, {"DeadLetterTTL", o.DeadLetterTTL, time.Second}, {"DailyQuotaTTL", o.DailyQuotaTTL, time.Second},
		{"Lease", o.Lease, 100 * time.Millisecond}, {"RetryBackoff", o.RetryBackoff, time.Millisecond},
		{"RetryMaxDelay", o.RetryMaxDelay, time.Millisecond}, {"MaxWait", o.MaxWait, time.Millisecond},
	} {
		if d.got < d.min {
			return fmt.Errorf("queue option %s is %v, it must be at least %v", d.name, d.got, d.min)
		}
	}
	for name, n := range map[string]int{"HistoryMax": o.HistoryMax, "AuditMax": o.AuditMax, "AuditAllMax": o.AuditAllMax} {
		if n < 1 {
			return fmt.Errorf("queue option %s is %d, it must be at least 1", name, n)
		}
	}
	return nil
}

// quiet stops go-redis from writing to stderr the errors that it also returns. Its logger is one for the process, so it is set once,
// before the first client.
var quiet = sync.OnceFunc(logging.Disable)

func setDefault[T comparable](p *T, def T) {
	var zero T
	if *p == zero {
		*p = def
	}
}

// Queue is a connection to the queue. It is safe for concurrent use.
type Queue struct {
	rdb      *redis.Client
	batch    *batcher
	addr     string // for messages; without the password
	opts     Options
	keys     keys
	steps    steps
	memory   memory
	finished *listener // ids of jobs that reached their final state
	changes  *listener // ids of jobs whose state or events changed
	cancels  *listener // ids of running jobs that are to be cancelled
}

// Open prepares a queue on the Redis at url: redis://, rediss:// (TLS) or unix://. It does not connect, as Redis may start later; Ping
// does. The error says what is wrong with url or opts.
func Open(url string, opts Options) (*Queue, error) {
	ropts, err := redis.ParseURL(url)
	if err != nil {
		// The parser's message may quote the URL, and with it the password.
		return nil, fmt.Errorf("the Redis URL is not of the form redis://, rediss:// or unix://")
	}
	opts = opts.withDefaults()
	if err := opts.check(); err != nil {
		return nil, err
	}
	quiet()
	// No command is repeated silently: after a second claim the first one's job would wait until its lease expires.
	ropts.MaxRetries = -1
	ropts.DialerRetries = 1
	ropts.DialTimeout = time.Second
	ropts.ReadTimeout = opTimeout
	ropts.WriteTimeout = opTimeout
	ropts.ContextTimeoutEnabled = true
	ropts.DisableIdentity = true
	ropts.MaintNotificationsConfig = &maintnotifications.Config{Mode: maintnotifications.ModeDisabled}

	k := newKeys(opts.Name, opts.DeadLetterName, opts.AuditName)
	addr := nameSocket(ropts)
	q := &Queue{rdb: redis.NewClient(ropts), addr: addr, opts: opts, keys: k, steps: newSteps(k, opts)}
	q.batch = newBatcher(q.rdb)
	q.finished = newListener(q.rdb, k.of("FINISHED"))
	q.changes = newListener(q.rdb, k.of("CHANGED"))
	q.cancels = newListener(q.rdb, k.of("CANCEL"))
	return q, nil
}

// Close ends the connections. Waiting calls return with an error.
func (q *Queue) Close() error {
	q.finished.close()
	q.cancels.close()
	q.changes.close()
	q.batch.close()
	return q.rdb.Close()
}

// Ping reports whether Redis answers.
func (q *Queue) Ping(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, opTimeout)
	defer cancel()
	return q.explain("ping", q.rdb.Ping(ctx).Err())
}

// explain adds to an error what was tried on which Redis. nil stays nil.
func (q *Queue) explain(what string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s on Redis at %s: %w", what, q.addr, err)
}
