// SPDX-License-Identifier: Apache-2.0

package queue

import (
	"fmt"
	"io/fs"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/ccee-dev/ccee/e2e/redistest"
)

func redisZ(score float64, member string) redis.Z { return redis.Z{Score: score, Member: member} }

// Scripts and Go have the same names for all keys, with a queue and a tenant whose names try to break out of a string.
func TestKeysAgree(t *testing.T) {
	redistest.Require(t)
	q := openQueue(t, shared.URL(), Options{Name: `a"b\n]]<t>c`, DeadLetterName: "d'e", AuditName: "a'u"})
	args, script := []any{}, q.keys.lua()+"return {"
	var want []string
	for _, row := range keyTable {
		var values []string
		script += row.name
		if len(q.keys[row.name].params) > 0 {
			for _, param := range q.keys[row.name].params {
				if param != "n" {
					values = append(values, "t e'n\"ant:"+param)
					args = append(args, values[len(values)-1])
				}
			}
			script += fmt.Sprintf("(unpack(ARGV, %d, %d))", len(args)-len(values)+1, len(args))
		}
		script += ","
		want = append(want, q.keys.of(row.name, values...))
	}
	got, err := redis.NewScript(script+"}").Run(t.Context(), q.rdb, nil, args...).StringSlice()
	if err != nil {
		t.Fatal(err)
	}
	if fmt.Sprintf("%q", got) != fmt.Sprintf("%q", want) {
		t.Errorf("Lua %q\nGo  %q", got, want)
	}
	if len(slices.Compact(slices.Sorted(slices.Values(want)))) != len(keyTable) {
		t.Errorf("two keys have one name: %q", want)
	}
}

// What others read, and older versions stored, keeps its name.
func TestKeyNames(t *testing.T) {
	k := newKeys("code-jobs", "code-jobs-dlq", "audit:events")
	for want, got := range map[string]string{
		"job:i": k.job("i"), "job:i:events": k.events("i"), "job:i:deliveries": k.deliveries("i"), "tenant:t:job_history": k.history("t"),
		"tenant:t:active_jobs": k.of("activeJobs", "t"), "tenant:t:daily_cost:2026-01-02": k.of("dailyCost", "t", "2026-01-02"),
		"tenant:t:submit_rate_limit": k.of("rateKey", "t", string(Submits)), "tenant:t:audit_head": k.auditHead("t"), "audit:events": k.of("AUDIT"),
		"queue:code-jobs:jobs:6:python:t": k.of("waiting", "python", "t"), "queue:code-jobs:leases": k.of("LEASES"),
		"queue:code-jobs:wake:w": k.wakeWorker("w"), "queue:code-jobs-dlq": k.of("DEAD"), "queue:code-jobs:finished": k.of("FINISHED"),
	} {
		if got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

func TestISO(t *testing.T) {
	redistest.Require(t)
	q := openQueue(t, shared.URL(), Options{})
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

// Every step is there, and every file is a step or a part of the library.
func TestSteps(t *testing.T) {
	v := reflect.ValueOf(newSteps(newKeys("q", "d", "a"), Options{}.withDefaults()))
	for i := range v.NumField() {
		if v.Field(i).IsNil() {
			t.Errorf("step %s has no script", v.Type().Field(i).Name)
		}
	}
	files, err := fs.ReadDir(luaFiles, "lua")
	if err != nil || len(files) != v.NumField()+2 {
		t.Errorf("%d files, %v; want one for each of %d steps, lib.lua and lib_jobs.lua", len(files), err, v.NumField())
	}
}
