// SPDX-License-Identifier: Apache-2.0

package daemon

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"golang.org/x/sys/unix"

	"github.com/ccee-dev/ccee/daemon/slots"
	"github.com/ccee-dev/ccee/e2e/patience"
	"github.com/ccee-dev/ccee/job"
)

func TestCancelRealJobs(t *testing.T) {
	s := realDaemon(t, nil)
	body := `{"id":"c1","language":"python","sourceCode":"import time\nprint('up', flush=True)\ntime.sleep(60)","run":{"wallMs":30000}}`
	follow := func(ctx context.Context, onOutput func()) (events []job.Event, err error) {
		req, err := http.NewRequestWithContext(ctx, "POST", "http://daemon/v1/run", strings.NewReader(body))
		if err != nil {
			return nil, err
		}
		req.Header.Set("Accept", ndjson)
		resp, err := s.http.Do(req)
		if err != nil {
			return nil, err
		}
		defer resp.Body.Close()
		lines := json.NewDecoder(resp.Body)
		for {
			var ev job.Event
			if err := lines.Decode(&ev); err != nil {
				return events, err
			}
			events = append(events, ev)
			if ev.Type == job.EventStdout {
				onOutput()
			}
		}
	}
	t.Run("by id", func(t *testing.T) {
		events, _ := follow(patience.Context(t), func() { s.ask(t, "DELETE", "/v1/run/c1", "", "") })
		end := events[len(events)-1]
		if end.Result == nil || end.Result.Status != job.StatusCancelled || string(end.Result.Last().Stdout.Data) != "up\n" {
			t.Errorf("last event %+v, want a cancelled result with the output so far", end)
		}
	})
	t.Run("by disconnect", func(t *testing.T) {
		ctx, cancel := context.WithCancel(patience.Context(t))
		if _, err := follow(ctx, cancel); !errors.Is(err, context.Canceled) {
			t.Errorf("the stream ended with %v", err)
		}
		idle(t, s)
	})
}

// idle waits until every slot is free.
func idle(t *testing.T, s *served) {
	t.Helper()
	// With every slot asked for at once, the answer comes when the last one is free.
	total := s.slots.Budget()
	all := slots.Need{Memory: total.Memory, Millicores: total.Millicores, Pids: total.Pids}
	ctx, cancel := context.WithTimeout(t.Context(), patience.Long())
	defer cancel()
	slot, err := s.slots.Acquire(ctx, all)
	if err != nil {
		t.Fatalf("the slots did not become free: %v", err)
	}
	s.slots.Release(slot, all)
}

func TestTwentyAtOnce(t *testing.T) {
	s := realDaemon(t, nil)
	t.Run("jobs", func(t *testing.T) {
		for i := range 20 {
			t.Run(fmt.Sprint(i), func(t *testing.T) {
				t.Parallel()
				step := last(t, s.runSpec(t, job.Spec{ID: fmt.Sprintf("p%d", i), Language: "python",
					Source: fmt.Sprintf("import os\nopen('f', 'w').write('%d')\nprint(open('f').read(), os.listdir('/tmp'), os.listdir('/workspace'))", i),
					Run:    job.Limits{WallMs: 20_000}}))
				if want := fmt.Sprintf("%d [] ['main.py', 'f']\n", i); string(step.Stdout.Data) != want && string(step.Stdout.Data) != fmt.Sprintf("%d [] ['f', 'main.py']\n", i) {
					t.Errorf("stdout %q, want %q\n%s", step.Stdout.Data, want, describeStep(step))
				}
			})
		}
	})
	idle(t, s)
	if running, waiting, used := s.slots.InUse(); running != 0 || waiting != 0 || used != (slots.Need{}) {
		t.Errorf("afterwards %d run, %d wait, %+v is used, want nothing", running, waiting, used)
	}
}

func TestUnknownLanguageAndBigLimits(t *testing.T) {
	s := realDaemon(t, nil)
	for _, tt := range []struct{ body, says string }{
		{`{"id":"a","language":"ruby","sourceCode":"x"}`, "java, javascript, python"},
		{`{"id":"a","language":"python","sourceCode":"x","run":{"memoryBytes":99999999999}}`, "run.memoryBytes"},
	} {
		resp, body := s.ask(t, "POST", "/v1/run", tt.body, "")
		if resp.StatusCode != 400 || !strings.Contains(body, tt.says) {
			t.Errorf("%s: HTTP %d %s, want 400 and %q", tt.body, resp.StatusCode, body, tt.says)
		}
	}
}

func TestDrainKillsRealJobs(t *testing.T) {
	s := realDaemon(t, func(o *Options) { o.Drain = time.Nanosecond })
	req, _ := http.NewRequestWithContext(patience.Context(t), "POST", "http://daemon/v1/run",
		strings.NewReader(`{"id":"d","language":"python","sourceCode":"import time\ntime.sleep(60)","run":{"wallMs":60000}}`))
	req.Header.Set("Accept", ndjson)
	resp, err := s.http.Do(req) // returns with the first event: the program runs
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	done := make(chan error, 1)
	go func() { done <- s.stop() }()
	lines := json.NewDecoder(resp.Body)
	var ev job.Event
	for lines.More() {
		if err := lines.Decode(&ev); err != nil {
			t.Fatal(err)
		}
	}
	if ev.Type != job.EventError || ev.Error.Code != job.EUnavailable {
		t.Errorf("last event %+v, want the error unavailable", ev)
	}
	if err := patience.Receive(t, done, "Serve returns"); err != nil {
		t.Errorf("Serve = %v", err)
	}
}

// The spawner takes its sandboxes with it. That job is to be tried again, and the next one finds a new spawner.
func TestSpawnerIsReplaced(t *testing.T) {
	s := realDaemon(t, func(o *Options) { o.Log = zerolog.New(io.Discard) }) // it logs the fault, as it should
	before := spawners(t)
	if len(before) != 1 {
		t.Fatalf("%d spawners before, want 1", len(before))
	}
	began := strings.NewReader(`{"id":"lost","language":"python","sourceCode":"import time\ntime.sleep(60)","run":{"wallMs":60000}}`)
	req, err := http.NewRequestWithContext(patience.Context(t), "POST", "http://daemon/v1/run", began)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Accept", ndjson)
	resp, err := s.http.Do(req) // returns with the first event: the program runs
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if err := unix.Kill(before[0], unix.SIGKILL); err != nil {
		t.Fatal(err)
	}
	if rest, err := io.ReadAll(resp.Body); err != nil || !strings.Contains(string(rest), `"code":"internal"`) {
		t.Errorf("the job that was lost was answered %s (%v), want a fault of ours", rest, err)
	}
	for range 2 { // the second job uses the spawner that the first one had started
		if step := last(t, s.runSpec(t, job.Spec{Language: "python", Source: "print(1)"})); !step.OK() {
			t.Errorf("the job after it\n%s", describeStep(step))
		}
	}
	if after := spawners(t); len(after) != 1 || after[0] == before[0] {
		t.Errorf("spawners %v after %v, want another one", after, before)
	}
}

// spawners are the children of this process that are called sandbox-init; see proc_pid_stat(5).
func spawners(t *testing.T) []int {
	t.Helper()
	lists, err := filepath.Glob("/proc/self/task/*/children")
	if err != nil {
		t.Fatal(err)
	}
	var pids []int
	for _, list := range lists {
		b, err := os.ReadFile(list)
		if err != nil {
			continue // that thread has ended
		}
		for f := range strings.FieldsSeq(string(b)) {
			line, err := os.ReadFile("/proc/" + f + "/cmdline")
			pid, _ := strconv.Atoi(f)
			if err == nil && strings.HasPrefix(string(line), "sandbox-init") {
				pids = append(pids, pid)
			}
		}
	}
	return pids
}
