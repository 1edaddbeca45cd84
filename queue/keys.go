// SPDX-License-Identifier: Apache-2.0

package queue

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// key describes one kind of key or channel in Redis. All of them are in keyTable, and nowhere else: scripts call them by name, a constant
// or a function of what is in angle brackets (keys.lua); the methods of keys are those that Go needs too.
type key struct {
	name  string
	form  string // <q>, <dlq> and <audit> are names from Options; <n> is the length in bytes of what follows
	kind  string // its type in Redis, or channel
	stays string // why it may be without an expiry; "": it always has one
	holds string
}

// Why keys stay.
const (
	whileJobs = "as long as jobs are unfinished"
	bounded   = "its size is bounded"
	perTenant = "its size is bounded for each tenant that ever was"
	removed   = "its old entries are removed"
	message   = "nothing is stored"
)

var keyTable = []key{
	{"jobKey", "job:<id>", "hash", whileJobs, "the job: request, source, state, result"},
	{"history", "tenant:<t>:job_history", "zset", "", "ids by the time of submission, ms"},
	{"activeIDs", "tenant:<t>:active_job_ids", "set", whileJobs, "unfinished jobs: each holds one slot of the quota"},
	{"activeJobs", "tenant:<t>:active_jobs", "int", perTenant, "size of that set, kept for readers that know this name"},
	{"dailyJobs", "tenant:<t>:daily_jobs:<date>", "int", "", "submissions on that UTC day"},
	{"dailyCost", "tenant:<t>:daily_cost:<date>", "float", "", "USD by the day of completion"},
	{"rateKey", "tenant:<t>:<kind>", "string", "", "the latest requests of a RateKind: countRequest in lib.lua"},
	{"idempotent", "tenant:<t>:idempotency:<digest>", "string", "", "\"<id> <digest of the request>\" of the job that the key admitted"},
	{"modelCalls", "tenant:<t>:model_calls:<date>", "int", "", "calls of a language model on that UTC day"},
	{"modelAnswer", "tenant:<t>:model_said:<digest>", "string", "", "a model's answer to a prompt, JSON"},
	{"stored", "tenant:<t>:stored", "hash", "", "bytes that a job takes in Redis, by its id; the sum of all under \"\""},
	{"storedUntil", "tenant:<t>:stored_until", "zset", "", "ids by the time at which that is counted again, ms"},
	{"auditTrail", "tenant:<t>:audit", "stream", perTenant, "the tenant's audit"},
	{"auditHead", "tenant:<t>:audit_head", "hash", perTenant, "seq and hash of its last entry"},
	{"AUDIT", "<audit>", "stream", bounded, "the audit of all tenants, and of none"},

	{"waiting", "queue:<q>:jobs:<n>:<l>:<t>", "zset", whileJobs, "the tenant's waiting jobs in that language, by priority, then age"},
	{"ring", "queue:<q>:ring:<l>", "zset", whileJobs, "tenants with waiting jobs in that language by their start tag"},
	{"since", "queue:<q>:since:<l>", "zset", whileJobs, "\"<id> <tenant>\" of waiting jobs in that language by the time at which they began to wait, ms"},
	{"WAITED", "queue:<q>:waited", "set", whileJobs, "languages in which jobs wait"},
	{"TAGS", "queue:<q>:tags", "zset", whileJobs, "tenants with waiting jobs by their start tag"},
	{"IDLE", "queue:<q>:idle", "zset", perTenant, "tenants without, while their tag is still ahead of the clock"},
	{"oldWaiting", "queue:<q>:tenant:<t>", "zset", whileJobs, "waiting jobs as older versions had them; a claim moves them"},
	{"OLD_RING", "queue:<q>:ring", "zset", whileJobs, "their tenants"},
	{"CLOCK", "queue:<q>:clock", "float", bounded, "start tag of the last job taken"},
	{"ORDER", "queue:<q>:order", "int", bounded, "counter that gives waiting jobs their age"},
	{"LEASES", "queue:<q>:leases", "zset", whileJobs, "\"<id> <tenant>\" by expiry, ms"},
	{"DELAYED", "queue:<q>:delayed", "zset", whileJobs, "\"<id> <tenant>\" by due time, ms"},
	{"LAST_STEP", "queue:<q>:heard", "int", bounded, "when a step was last taken that shows that Redis answers, ms"},
	{"GRACE", "queue:<q>:spared", "int", "", "until then no lease is taken from its worker, ms"},
	{"WAKE", "queue:<q>:wake", "list", bounded, "at most one token: a lease or a retry may be due"},
	{"wakeFor", "queue:<q>:wake_for:<l>", "list", bounded, "there may be jobs in that language"},
	{"wakeWorker", "queue:<q>:wake:<worker>", "list", "", "one token: that worker shall stop waiting"},
	{"STATS", "queue:<q>:stats", "hash", bounded, "finished jobs by state, since ever"},
	{"tally", "queue:<q>:tally:<bucket>", "hash", "", "jobs submitted and finished, and ms of run time, in five seconds"},
	{"DEPTH", "queue:<q>:depth", "hash", "", "how many jobs were pending when that was published last, and when"},
	{"WORKERS", "queue:<q>:workers", "zset", removed, "workers by the time until which they count as alive, ms"},
	{"RUNTIMES", "queue:<q>:runtimes", "hash", removed, "the languages that a worker can run now, JSON"},
	{"WARNINGS", "queue:<q>:warnings", "hash", removed, "what a worker's backend warns of, JSON"},
	{"LANGUAGES", "queue:<q>:languages", "hash", removed, "language to its profile, JSON: what can be submitted"},
	{"OFFERED", "queue:<q>:offered", "zset", removed, "languages by the time until which a worker offered them, ms"},

	{"deliveries", "job:<id>:deliveries", "list", whileJobs, "the latest attempts to deliver the job's webhook, JSON"},
	{"events", "job:<id>:events", "stream", "", "the live events of a running job"},
	{"HOOKS", "queue:<q>:webhooks", "zset", "as long as webhooks wait", "\"<id> <tenant>\" of webhooks by due time, ms"},
	{"hooksDue", "queue:<q>:webhooks:<t>", "zset", "as long as webhooks wait", "\"<id> <tenant>\" of the tenant's webhooks that are due"},
	{"HOOK_RING", "queue:<q>:webhook_ring", "zset", "as long as webhooks wait", "tenants with webhooks that are due, by their next turn, microseconds"},
	{"HOOK_WAKE", "queue:<q>:webhook_wake", "list", bounded, "as WAKE, for those who deliver webhooks"},

	{"UNARCHIVED", "queue:<q>:unarchived", "zset", "until the archive has them", "\"<id> <tenant>\" of finished jobs by time, ms; negative: to be deleted from the archive"},
	{"ARCHIVING", "queue:<q>:archiving", "string", "", "there is an archive, for which finished jobs wait"},
	{"ARCHIVER", "queue:<q>:archiver", "string", "", "who archives; a lease"},

	{"FINISHED", "queue:<q>:finished", "channel", message, "the id of a job that ended"},
	{"CANCEL", "queue:<q>:cancel", "channel", message, "the id of a running job that is to be cancelled"},
	{"CHANGED", "queue:<q>:changed", "channel", message, "the id of a job about which anything is new"},
	{"DEAD", "queue:<dlq>", "zset", removed, "\"<id> <tenant>\" by time of death, ms"},
	{"NOTHING", "queue:<q>:nothing", "string", message, "is never there: see ignoreOOM in lib.lua"},
}

// keys are the names of one queue's keys and channels, each as the text before, between and behind its parameters.
type keys map[string]keyForm

type keyForm struct {
	texts, params []string // there is one more of texts
}

var bracketed = regexp.MustCompile(`<(\w+)>`)

func newKeys(queue, dead, audit string) keys {
	options, all := map[string]string{"q": queue, "dlq": dead, "audit": audit}, keys{}
	for _, k := range keyTable {
		f, last := keyForm{texts: []string{""}}, 0
		for _, m := range bracketed.FindAllStringSubmatchIndex(k.form, -1) {
			end, param := len(f.texts)-1, k.form[m[2]:m[3]]
			f.texts[end] += k.form[last:m[0]]
			if name, ok := options[param]; ok {
				f.texts[end] += name
			} else {
				f.texts, f.params = append(f.texts, ""), append(f.params, param)
			}
			last = m[1]
		}
		f.texts[len(f.texts)-1] += k.form[last:]
		all[k.name] = f
	}
	return all
}

// of is the key of that name. What is not in the table, or has other parameters, is a programmer's mistake.
func (k keys) of(name string, args ...string) string {
	f, ok := k[name]
	if !ok {
		panic("no key is named " + name)
	}
	var b strings.Builder
	for i, param := range f.params {
		b.WriteString(f.texts[i])
		if param == "n" {
			b.WriteString(strconv.Itoa(len(args[0])))
			continue
		}
		b.WriteString(args[0])
		args = args[1:]
	}
	if len(args) > 0 {
		panic(fmt.Sprintf("key %s has no place for %q", name, args))
	}
	b.WriteString(f.texts[len(f.texts)-1])
	return b.String()
}

func (k keys) job(id string) string                { return k.of("jobKey", id) }
func (k keys) events(id string) string             { return k.of("events", id) }
func (k keys) deliveries(id string) string         { return k.of("deliveries", id) }
func (k keys) history(tenant string) string        { return k.of("history", tenant) }
func (k keys) auditTrail(tenant string) string     { return k.of("auditTrail", tenant) }
func (k keys) auditHead(tenant string) string      { return k.of("auditHead", tenant) }
func (k keys) modelAnswer(t, digest string) string { return k.of("modelAnswer", t, digest) }
func (k keys) wakeFor(language string) string      { return k.of("wakeFor", language) }
func (k keys) wakeWorker(worker string) string     { return k.of("wakeWorker", worker) }

// lua defines all keys for scripts, each in a paragraph of its own.
func (k keys) lua() string {
	var b strings.Builder
	for _, row := range keyTable {
		f := k[row.name]
		parts, params := []string{luaString(f.texts[0])}, []string{}
		for i, param := range f.params {
			if param == "n" {
				param = "#" + f.params[i+1]
			} else {
				params = append(params, param)
			}
			parts = append(parts, param)
			if text := f.texts[i+1]; text != "" {
				parts = append(parts, luaString(text))
			}
		}
		body := strings.Join(parts, " .. ")
		if len(params) == 0 {
			fmt.Fprintf(&b, "local %s = %s\n\n", row.name, body)
		} else {
			fmt.Fprintf(&b, "local function %s(%s) return %s end\n\n", row.name, strings.Join(params, ", "), body)
		}
	}
	return b.String()
}

// luaString quotes s as a Lua string literal: what is not plainly a part of a name gets a decimal escape, out of the reach of the parser.
func luaString(s string) string {
	var b strings.Builder
	for _, c := range []byte(s) {
		if c == ':' || c == '_' || c == '-' || c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' {
			b.WriteByte(c)
		} else {
			fmt.Fprintf(&b, `\%03d`, c)
		}
	}
	return `"` + b.String() + `"`
}
