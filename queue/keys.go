package queue

import (
	"strconv"
	"strings"
)

// keys names every key and channel. The scripts get the same names from lua, so they are written nowhere else;
// TestKeysAgree holds the two to each other.
//
//	job:<id>                            hash    the job: request, source, state, result
//	tenant:<t>:job_history              zset    id by the time of submission, ms
//	tenant:<t>:active_job_ids           set     unfinished jobs: each holds one slot of the quota
//	tenant:<t>:active_jobs              int     size of that set, kept for readers that know this name
//	tenant:<t>:daily_jobs:<date>        int     submissions on that UTC day
//	tenant:<t>:daily_cost:<date>        float   USD by the day of completion
//	tenant:<t>:rate_limit               string  the requests of the latest window: countRequest in lib.lua; also submit_rate_limit
//	tenant:<t>:idempotency:<digest>     string  "<id> <digest of the request>" of the job that the key admitted
//	tenant:<t>:model_calls:<date>       int     calls of a language model on that UTC day
//	tenant:<t>:model_said:<digest>      string  what a model said to a prompt, JSON
//	tenant:<t>:stored                   hash    what a job takes in Redis, bytes, by its id; the sum of all under ""
//	tenant:<t>:stored_until             zset    id by the time at which that is looked at again, ms
//	tenant:<t>:audit                    stream  the tenant's audit, bounded
//	tenant:<t>:audit_head               hash    seq and hash of its last entry
//	audit:events                        stream  the audit of all tenants, and what has none; bounded
//	queue:<q>:jobs:<n>:<l>:<t>          zset    the tenant's waiting jobs in that language, of n bytes, by priority, then age
//	queue:<q>:ring:<l>                  zset    tenants with waiting jobs in that language by their start tag
//	queue:<q>:since:<l>                 zset    "<id> <tenant>" of jobs that wait in that language by when they began to, ms
//	queue:<q>:waited                    set     languages in which jobs wait
//	queue:<q>:tags                      zset    tenants with waiting jobs by their start tag
//	queue:<q>:idle                      zset    tenants without, while their tag is still ahead of the clock
//	queue:<q>:tenant:<t>, queue:<q>:ring        what waits as older versions had it; a claim moves it
//	queue:<q>:clock                     float   start tag of the last job taken
//	queue:<q>:order                     int     counter that gives waiting jobs their age
//	queue:<q>:leases                    zset    "<id> <tenant>" by expiry, ms
//	queue:<q>:delayed                   zset    "<id> <tenant>" by due time, ms
//	queue:<q>:webhooks                  zset    "<id> <tenant>" of webhooks by due time, ms
//	queue:<q>:webhooks:<t>              zset    "<id> <tenant>" of the tenant's webhooks that are due
//	queue:<q>:webhook_ring              zset    tenants with webhooks that are due, by their next turn, microseconds
//	queue:<q>:webhook_wake              list    as wake, for who delivers them
//	job:<id>:deliveries                 list    the latest attempts to deliver the job's webhook, JSON
//	job:<id>:events                     stream  what a running job did, for those who watch; bounded, and short-lived
//	queue:<q>:unarchived                zset    "<id> <tenant>" of finished jobs by time, ms; negative: to be deleted from the archive
//	queue:<q>:archiving                 string  there is an archive that finished jobs wait for
//	queue:<q>:archiver                  string  who archives; a lease
//	queue:<q>:heard                     int     when a step was last taken that shows that Redis answers, ms
//	queue:<q>:spared                    int     until then no lease is taken from its worker, ms
//	queue:<q>:wake                      list    at most one token: a lease or a retry may be due
//	queue:<q>:wake_for:<l>              list    at most one token: there may be jobs in that language
//	queue:<q>:wake:<worker>             list    one token: that worker shall stop waiting
//	queue:<q>:stats                     hash    finished jobs by state, since ever
//	queue:<q>:tally:<bucket>            hash    jobs submitted and finished, and ms of run time, in five seconds
//	queue:<q>:workers                   zset    worker by the expiry of its word, ms
//	queue:<q>:runtimes                  hash    worker to the languages that it can run now, JSON
//	queue:<q>:languages                 hash    language to its profile, JSON: what can be submitted
//	queue:<q>:offered                   zset    language by the time until which a worker offered it, ms
//	queue:<q>:finished, queue:<q>:cancel, queue:<q>:changed        channels; the message is a job's id
//	queue:<dlq>                         zset    "<id> <tenant>" by time of death, ms
type keys struct{ name, dead, audit string }

func (k keys) job(id string) string              { return "job:" + id }
func (k keys) history(tenant string) string      { return "tenant:" + tenant + ":job_history" }
func (k keys) activeIDs(tenant string) string    { return "tenant:" + tenant + ":active_job_ids" }
func (k keys) active(tenant string) string       { return "tenant:" + tenant + ":active_jobs" }
func (k keys) dailyJobs(tenant, d string) string { return "tenant:" + tenant + ":daily_jobs:" + d }
func (k keys) dailyCost(tenant, d string) string { return "tenant:" + tenant + ":daily_cost:" + d }
func (k keys) stored(tenant string) string       { return "tenant:" + tenant + ":stored" }
func (k keys) storedUntil(tenant string) string  { return k.stored(tenant) + "_until" }
func (k keys) auditTrail(t string) string        { return "tenant:" + t + ":audit" }
func (k keys) auditHead(t string) string         { return "tenant:" + t + ":audit_head" }
func (k keys) wake() string                      { return k.part("wake") }
func (k keys) hookWake() string                  { return k.part("webhook_wake") }
func (k keys) events(id string) string           { return k.job(id) + ":events" }
func (k keys) deliveries(id string) string       { return k.job(id) + ":deliveries" }
func (k keys) wakeWorker(worker string) string   { return k.part("wake:" + worker) }
func (k keys) finished() string                  { return k.part("finished") }
func (k keys) changed() string                   { return k.part("changed") }
func (k keys) cancel() string                    { return k.part("cancel") }
func (k keys) deadLetters() string               { return "queue:" + k.dead }
func (k keys) part(s string) string              { return "queue:" + k.name + ":" + s }

func (k keys) waiting(language, tenant string) string {
	return k.part("jobs:" + strconv.Itoa(len(language)) + ":" + language + ":" + tenant)
}
func (k keys) wakeFor(language string) string { return k.part("wake_for:" + language) }

func (k keys) idempotent(tenant, digest string) string {
	return "tenant:" + tenant + ":idempotency:" + digest
}

func (k keys) said(tenant, digest string) string  { return "tenant:" + tenant + ":model_said:" + digest }
func (k keys) modelCalls(tenant, d string) string { return "tenant:" + tenant + ":model_calls:" + d }

func (k keys) rate(tenant string, kind RateKind) string {
	return "tenant:" + tenant + ":" + string(kind)
}

// lua is the head of every script: the same names as Lua functions and constants.
func (k keys) lua() string {
	return strings.NewReplacer("$Q", luaString("queue:"+k.name+":"), "$DEAD", luaString(k.deadLetters()),
		"$AUDIT", luaString(k.audit)).Replace(`
local Q, DEAD, AUDIT = $Q, $DEAD, $AUDIT
local TAGS, IDLE, CLOCK, ORDER, WAITED = Q .. 'tags', Q .. 'idle', Q .. 'clock', Q .. 'order', Q .. 'waited'
local HEARD, SPARED = Q .. 'heard', Q .. 'spared'
local LANGUAGES, OFFERED = Q .. 'languages', Q .. 'offered'
local LEASES, DELAYED, WAKE, STATS = Q .. 'leases', Q .. 'delayed', Q .. 'wake', Q .. 'stats'
local WORKERS, RUNTIMES, FINISHED, CANCEL = Q .. 'workers', Q .. 'runtimes', Q .. 'finished', Q .. 'cancel'
local HOOKS, HOOK_WAKE, HOOK_RING = Q .. 'webhooks', Q .. 'webhook_wake', Q .. 'webhook_ring'
local function hooksDue(t) return HOOKS .. ':' .. t end
local UNARCHIVED, ARCHIVING, ARCHIVER = Q .. 'unarchived', Q .. 'archiving', Q .. 'archiver'
local function jobKey(id) return 'job:' .. id end
local CHANGED = Q .. 'changed'
local function tally(bucket) return Q .. 'tally:' .. string.format('%.0f', bucket) end
local function events(id) return jobKey(id) .. ':events' end
local function deliveries(id) return jobKey(id) .. ':deliveries' end
local function history(t) return 'tenant:' .. t .. ':job_history' end
local function activeIDs(t) return 'tenant:' .. t .. ':active_job_ids' end
local function activeJobs(t) return 'tenant:' .. t .. ':active_jobs' end
local function dailyJobs(t, date) return 'tenant:' .. t .. ':daily_jobs:' .. date end
local function dailyCost(t, date) return 'tenant:' .. t .. ':daily_cost:' .. date end
local function rateKey(t, kind) return 'tenant:' .. t .. ':' .. kind end
local function idempotent(t, digest) return 'tenant:' .. t .. ':idempotency:' .. digest end
local function modelCalls(t, date) return 'tenant:' .. t .. ':model_calls:' .. date end
local function stored(t) return 'tenant:' .. t .. ':stored' end
local function storedUntil(t) return stored(t) .. '_until' end
local function auditTrail(t) return 'tenant:' .. t .. ':audit' end
local function auditHead(t) return 'tenant:' .. t .. ':audit_head' end
local function waiting(l, t) return Q .. 'jobs:' .. #l .. ':' .. l .. ':' .. t end
local function ring(l) return Q .. 'ring:' .. l end
local function since(l) return Q .. 'since:' .. l end
local function wakeFor(l) return Q .. 'wake_for:' .. l end
local OLD_RING = Q .. 'ring'
local function oldWaiting(t) return Q .. 'tenant:' .. t end
`)
}

// luaString quotes s as a Lua string literal.
func luaString(s string) string {
	var b strings.Builder
	b.WriteByte('"')
	for i := range len(s) {
		// Decimal escapes keep every byte out of the reach of the parser; names are short, so readability is no loss.
		b.WriteString(`\` + strings.Repeat("0", 3-len(strconv.Itoa(int(s[i])))) + strconv.Itoa(int(s[i])))
	}
	b.WriteByte('"')
	return b.String()
}
