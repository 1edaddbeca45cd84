// SPDX-License-Identifier: Apache-2.0

package main

import (
	"cmp"
	"context"
	"crypto/rand"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/ccee-dev/ccee/daemon/client"
	"github.com/ccee-dev/ccee/job"
)

// trace says where the time of a cold job through the daemon's socket goes, and that of a warm job over REST: call by call.
func trace(ctx context.Context, dir, binary, images string, rounds int) error {
	if err := traceCold(ctx, dir, binary, rounds); err != nil {
		return err
	}
	return traceWarm(ctx, dir, binary, images, rounds)
}

// traceCold traces a no-op without a prewarmed sandbox.
func traceCold(ctx context.Context, dir, binary string, rounds int) error {
	store, _, err := noopStore(ctx, dir)
	if err != nil {
		return err
	}
	socket := filepath.Join(dir, "trace.sock")
	daemon, err := start(binary, filepath.Join(dir, "trace.log"), ways[0].env,
		"daemon", "--socket", socket, "--images", store, "--cgroup", "ccee-bench-trace", "--log-level", "warn")
	if err != nil {
		return err
	}
	defer daemon.stop()
	c := client.New(socket)
	if err := until(ctx, func() error { return c.Ready(ctx) }); err != nil {
		return err
	}
	return traceMany(ctx, "a cold no-op through the daemon's socket", daemon, rounds, 0, func() error {
		r, err := c.Run(ctx, job.Spec{ID: rand.Text(), Language: "noop", Source: "-"})
		if err == nil && r.Status != job.Succeeded {
			err = fmt.Errorf("it ended with %s", r.Verdict)
		}
		return err
	})
}

// traceWarm traces a hello in Python over REST, whose interpreter was started ahead.
func traceWarm(ctx context.Context, dir, binary, images string, rounds int) error {
	up, api, err := startUp(ctx, dir, binary, images, "trace", 18087, nil)
	if err != nil {
		return err
	}
	defer up.stop()
	return traceMany(ctx, "a warm hello in Python over REST", up, rounds, 300*time.Millisecond, func() error { return api.submit(ctx, programs()[0]) })
}

// traceMany traces a job again and again and prints the median run, and the sums over all.
func traceMany(ctx context.Context, title string, process *running, rounds int, pause time.Duration, run func() error) error {
	for range 20 { // the first ones load the image and grow the heap
		if err := run(); err != nil {
			return err
		}
	}
	var jobs []*timeline
	for range rounds {
		if err := ctx.Err(); err != nil {
			return err
		}
		time.Sleep(pause)
		who := map[int]string{}
		if err := threads(process.cmd.Process.Pid, roleOf(process.cmd.Process.Pid, ""), who); err != nil {
			return err
		}
		t, err := traceOne(who, run)
		if err != nil {
			return err
		}
		jobs = append(jobs, t)
	}
	slices.SortFunc(jobs, func(a, b *timeline) int { return cmp.Compare(a.answer, b.answer) })
	printTimeline(title, jobs[len(jobs)/2])
	printSums(title, jobs)
	return nil
}

// threads adds those of a process and of all that it has started, each with the role of its process.
func threads(pid int, role string, who map[int]string) error {
	dir := fmt.Sprintf("/proc/%d/task", pid)
	tasks, err := os.ReadDir(dir)
	if err != nil {
		return fmt.Errorf("find the threads of the %s: %w", role, err)
	}
	for _, task := range tasks {
		who[number(task.Name())] = role
		children, _ := os.ReadFile(filepath.Join(dir, task.Name(), "children")) // a thread may have ended
		for child := range strings.FieldsSeq(string(children)) {
			_ = threads(number(child), roleOf(number(child), role), who) // so may a process
		}
	}
	return nil
}

// roleOf names the role of a process, by its parent or its command line.
func roleOf(pid int, parent string) string {
	b, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
	args := strings.Split(string(b), "\x00")
	switch {
	case args[0] == "sandbox-init" && parent == "daemon":
		return "spawner"
	case childOf[parent] != "" && parent != "daemon":
		return childOf[parent]
	case len(args) > 1 && filepath.Base(args[0]) == "ccee":
		return args[1]
	default:
		return strings.TrimSuffix(filepath.Base(strings.Fields(args[0] + " ?")[0]), "-server")
	}
}

// traceOne traces one job, and for a while afterwards the removal of its sandbox.
func traceOne(who map[int]string, run func() error) (*timeline, error) {
	var tids []string
	for tid := range who {
		tids = append(tids, strconv.Itoa(tid))
	}
	tracer, err := newTracefs(tids)
	if err != nil {
		return nil, err
	}
	defer tracer.close()
	if err := tracer.mark("request"); err != nil {
		return nil, err
	}
	if err := run(); err != nil {
		return nil, err
	}
	if err := tracer.mark("answer"); err != nil {
		return nil, err
	}
	time.Sleep(30 * time.Millisecond)
	events, err := tracer.events()
	if err != nil {
		return nil, err
	}
	t := newTimeline(who)
	for _, e := range events {
		t.add(e)
	}
	return t, nil
}

// worthALine is the time on a CPU, in us, from which a segment has a line of its own.
const worthALine = 15

// printTimeline prints the longer segments of one job.
func printTimeline(title string, t *timeline) {
	fmt.Printf("\n%s, answered after %.0f us (to trace takes time too)\n", title, t.answer)
	fmt.Printf("  %8s %8s %8s  %-13s %s\n", "at us", "took", "on a CPU", "who", "what")
	segments := t.segments()
	slices.SortFunc(segments, func(a, b segment) int { return cmp.Compare(a.at, b.at) })
	answered := false
	for _, s := range segments {
		if s.cpu < worthALine {
			continue
		}
		if !answered && s.at > t.answer {
			answered = true
			fmt.Printf("  %8.0f %8s %8s  %s\n", t.answer, "", "", "the answer is there; the sandbox is taken down")
		}
		fmt.Printf("  %8.0f %8.0f %8.0f  %-13s %s\n", s.at, s.end-s.at, s.cpu, s.who, describe(s))
	}
}

func describe(s segment) string {
	if s.faults > 0 {
		return fmt.Sprintf("%s, %d page faults", s.what, s.faults)
	}
	return s.what
}

// sum is the number and the time of one kind of activity.
type sum struct {
	calls, faults int
	cpu           float64
}

func (s sum) and(one segment) sum { return sum{s.calls + 1, s.faults + one.faults, s.cpu + one.cpu} }

// printSums prints the sums of all jobs, divided by their number.
func printSums(title string, jobs []*timeline) {
	sums, all := map[string]map[string]sum{}, map[string]sum{}
	for _, t := range jobs {
		for _, s := range t.segments() {
			if sums[s.who] == nil {
				sums[s.who] = map[string]sum{}
			}
			sums[s.who][s.what] = sums[s.who][s.what].and(s)
			all[s.who] = all[s.who].and(s)
		}
	}
	n := float64(len(jobs))
	fmt.Printf("\n%-52s %8s %8s %8s\n", fmt.Sprintf("%s, mean of %d", title, len(jobs)), "CPU us", "calls", "faults")
	for _, who := range byTime(all) {
		fmt.Printf("  %-50s %8.0f %8s %8.1f\n", who, all[who].cpu/n, "", float64(all[who].faults)/n)
		for _, what := range byTime(sums[who]) {
			if s := sums[who][what]; s.cpu/n >= worthALine {
				fmt.Printf("    %-48s %8.0f %8.1f %8.1f\n", what, s.cpu/n, float64(s.calls)/n, float64(s.faults)/n)
			}
		}
	}
}

// byTime are the keys, that with the most time first.
func byTime(sums map[string]sum) []string {
	return slices.SortedFunc(maps.Keys(sums), func(a, b string) int { return cmp.Compare(sums[b].cpu, sums[a].cpu) })
}

func number(s string) int {
	n, _ := strconv.Atoi(s)
	return n
}
