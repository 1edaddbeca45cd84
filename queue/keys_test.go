package queue

import (
	"fmt"
	"reflect"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
)

func redisZ(score float64, member string) redis.Z { return redis.Z{Score: score, Member: member} }

// TestKeysAgree holds the Lua names to the Go names, with a queue and a tenant whose names try to break out of a string.
func TestKeysAgree(t *testing.T) {
	requireRedis(t)
	q := openQueue(t, shared.url(), Options{Name: `a"b\n]]c`, DeadLetterName: "d'e", AuditName: "a'u"})
	k, tenant := q.keys, "t e'n\"ant"
	want := []string{k.job("i"), k.history(tenant), k.activeIDs(tenant), k.active(tenant), k.dailyJobs(tenant, "2026-01-02"),
		k.dailyCost(tenant, "2026-01-02"), k.waiting("a:b", tenant), k.rate(tenant, Submits), k.wake(), k.finished(), k.cancel(), k.deadLetters(),
		k.part("workers"), k.part("runtimes"), k.idempotent(tenant, "abc"), k.auditTrail(tenant), k.auditHead(tenant), k.audit,
		k.part("webhooks"), k.hookWake(), k.deliveries("i"), k.changed(), k.events("i"),
		k.modelCalls(tenant, "2026-01-02"), k.wakeFor("l"), k.part("ring:l"), k.part("since:l"), k.part("languages"), k.part("offered")}
	script := redis.NewScript(k.lua() + `local t, d = ARGV[1], '2026-01-02'
		return { jobKey('i'), history(t), activeIDs(t), activeJobs(t), dailyJobs(t, d), dailyCost(t, d), waiting('a:b', t),
			rateKey(t, 'submit_rate_limit'), WAKE, FINISHED, CANCEL, DEAD, WORKERS, RUNTIMES,
			idempotent(t, 'abc'), auditTrail(t), auditHead(t), AUDIT, HOOKS, HOOK_WAKE, deliveries('i'), CHANGED, events('i'), modelCalls(t, d),
			wakeFor('l'), ring('l'), since('l'), LANGUAGES, OFFERED }`)
	got, err := script.Run(t.Context(), q.rdb, nil, tenant).StringSlice()
	if err != nil {
		t.Fatal(err)
	}
	if fmt.Sprintf("%q", got) != fmt.Sprintf("%q", want) {
		t.Errorf("Lua %q\nGo  %q", got, want)
	}
}

func TestISO(t *testing.T) {
	requireRedis(t)
	q := openQueue(t, shared.url(), Options{})
	script := redis.NewScript(q.keys.lua() + "local JOB_TTL, DEAD_TTL = 1, 1\n" + source("lib") + "return iso(tonumber(ARGV[1]))")
	for _, s := range []string{"1970-01-01T00:00:00.000Z", "1999-12-31T23:59:59.999Z", "2000-02-29T12:00:00.001Z", "2024-02-29T23:59:59.999Z",
		"2024-03-01T00:00:00.000Z", "2026-01-01T00:00:00.000Z", "2026-12-31T23:59:59.999Z", "2100-02-28T23:59:59.500Z", "2100-03-01T00:00:00.000Z"} {
		at, err := time.Parse(time.RFC3339Nano, s)
		if err != nil {
			t.Fatal(err)
		}
		got, err := script.Run(t.Context(), q.rdb, nil, at.UnixMilli()).Text()
		if err != nil || got != s {
			t.Errorf("iso(%d) = %q, %v, want %q", at.UnixMilli(), got, err, s)
		}
	}
}

// Every step is there, and every file is a step or the library.
func TestSteps(t *testing.T) {
	v := reflect.ValueOf(newSteps(keys{}, Options{}.withDefaults()))
	for i := range v.NumField() {
		if v.Field(i).IsNil() {
			t.Errorf("step %s has no script", v.Type().Field(i).Name)
		}
	}
	files, err := luaFiles.ReadDir("lua")
	if err != nil || len(files) != v.NumField()+1 {
		t.Errorf("%d files, %v; want one for each of %d steps, and lib.lua", len(files), err, v.NumField())
	}
}
