// SPDX-License-Identifier: Apache-2.0

package queue

import (
	"context"
	"embed"
	"fmt"
	"io/fs"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
)

//go:embed lua/*.lua
var embedded embed.FS

// luaFiles has the scripts below lua. Tests of mutated scripts replace it, once, before all others.
var luaFiles fs.FS = embedded

// steps are the atomic steps, each named as its file.
type steps struct {
	submit, claim, extend, complete, retry, fail, release, emit *redis.Script // the life of a job
	dispatch                                                    *redis.Script
	cancel, purge, replay, analyze, output                      *redis.Script // other requests about a job
	webhookClaim, webhookDone, redeliver                        *redis.Script
	counts, activity, publishRuntimes, fleet, forget, sweep     *redis.Script // the queue and its workers
	rate, usage, costs, spendModelCall, audit                   *redis.Script // a tenant
	holdArchive, archived, takeDepth                            *redis.Script
}

// library returns the definitions that a script may use: the names of keys, the constants, lib.lua and lib_jobs.lua.
func library(k keys, o Options) []definition {
	constants := []struct {
		name string
		v    int64
	}{
		{"JOB_TTL", seconds(o.JobTTL)}, {"DEAD_TTL", seconds(o.DeadLetterTTL)}, {"DAILY_TTL", seconds(o.DailyQuotaTTL)},
		{"COST_TTL", seconds(costTTL)}, {"ARCHIVE_TTL", seconds(archiveTTL)}, {"LEASE", o.Lease.Milliseconds()}, {"MAX_BLOCK", maxBlock.Milliseconds()},
		{"MAX_WAIT", o.MaxWait.Milliseconds()}, {"SILENCE", silence.Milliseconds()}, {"KEEP_LANGUAGE", keepLanguage.Milliseconds()},
		{"HISTORY_MAX", int64(o.HistoryMax)}, {"AUDIT_MAX", int64(o.AuditMax)}, {"AUDIT_ALL_MAX", int64(o.AuditAllMax)},
		{"EVENTS_MAX", eventsMax}, {"RELEASES_MAX", releasesMax}, {"RATE_STEPS", rateSteps}, {"TALLY", tallyBucket.Milliseconds()}, {"TALLY_TTL", seconds(tallyTTL)},
		{"JOB_BYTES", jobBytes}, {"HOOK_BYTES", hookBytes}, {"STORED_TTL", seconds(max(o.JobTTL, o.DeadLetterTTL, archiveTTL) + 24*time.Hour)},
	}
	var text strings.Builder
	text.WriteString(k.lua())
	for _, c := range constants {
		text.WriteString(fmt.Sprintf("local %s = %d\n\n", c.name, c.v))
	}
	return definitions(text.String() + source("lib") + "\n" + source("lib_jobs"))
}

func newSteps(k keys, o Options) steps {
	parts := library(k, o)
	step := func(name string) *redis.Script { return redis.NewScript(link(parts, source(name))) }
	return steps{
		submit: step("submit"), claim: step("claim"), extend: step("extend"), complete: step("complete"), retry: step("retry"),
		fail: step("fail"), release: step("release"), emit: step("emit"), dispatch: step("dispatch"),
		cancel: step("cancel"), purge: step("purge"), replay: step("replay"), analyze: step("analyze"), output: step("output"),
		webhookClaim: step("webhook_claim"), webhookDone: step("webhook_done"), redeliver: step("redeliver"),
		counts: step("counts"), activity: step("activity"), publishRuntimes: step("publish_runtimes"), fleet: step("fleet"),
		forget: step("forget"), sweep: step("sweep"),
		rate: step("rate"), usage: step("usage"), costs: step("costs"), spendModelCall: step("spend_model_call"), audit: step("audit"),
		holdArchive: step("hold_archive"), archived: step("archived"), takeDepth: step("take_depth"),
	}
}

func seconds(d time.Duration) int64 { return int64(d / time.Second) }

// source returns a script's text. The files are part of the binary, so a missing one is a programmer's mistake.
func source(name string) string {
	b, err := fs.ReadFile(luaFiles, "lua/"+name+".lua")
	if err != nil {
		panic(err)
	}
	return string(b)
}

// run runs one step within opTimeout. what completes the sentence "... on Redis at ...".
func (q *Queue) run(ctx context.Context, step *redis.Script, what string, args ...any) (any, error) {
	ctx, cancel := context.WithTimeout(ctx, opTimeout)
	defer cancel()
	cmd := stepCommand(ctx, step, args)
	if err := q.batch.do(ctx, cmd); err != nil {
		return nil, q.explain(what, err)
	}
	v, err := cmd.Result()
	if redis.HasErrorPrefix(err, "NOSCRIPT") { // Redis was restarted
		v, err = step.Eval(ctx, q.rdb, nil, args...).Result()
	}
	if err == redis.Nil { // the script returned false
		return nil, nil
	}
	return v, q.explain(what, err)
}

func stepCommand(ctx context.Context, step *redis.Script, args []any) *redis.Cmd {
	return redis.NewCmd(ctx, append([]any{"evalsha", step.Hash(), "0"}, args...)...)
}

// word runs a step that answers with one word.
func (q *Queue) word(ctx context.Context, step *redis.Script, what string, args ...any) (string, error) {
	v, err := q.run(ctx, step, what, args...)
	s, _ := v.(string)
	return s, err
}

// list runs a step that answers with a list of at least n elements.
func (q *Queue) list(ctx context.Context, step *redis.Script, n int, what string, args ...any) ([]any, error) {
	v, err := q.run(ctx, step, what, args...)
	if err != nil {
		return nil, err
	}
	l, _ := v.([]any)
	if len(l) < n {
		return nil, q.explain(what, fmt.Errorf("unexpected answer %v", v))
	}
	return l, nil
}

// The scripts answer with Redis integers and strings; anything else reads as zero.
func integer(v any) int64 { n, _ := v.(int64); return n }
func text(v any) string   { s, _ := v.(string); return s }
