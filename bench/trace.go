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

	"ccee/api/job"
	"ccee/daemon/client"
)

// trace says where the time of a cold job goes: what daemon, spawner, sandbox-init and program do, call by call.
func trace(ctx context.Context, dir, binary string, rounds int) error {
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
	run := func() error {
		r, err := c.Run(ctx, job.Spec{ID: rand.Text(), Language: "noop", Source: "-"})
		if err == nil && r.Status != job.Succeeded {
			err = fmt.Errorf("it ended with %s", r.Verdict)
		}
		return err
	}
	for range 20 { // the first ones load the image and grow the heap
		if err := run(); err != nil {
			return err
		}
	}
	who, err := threads(daemon.cmd.Process.Pid)
	if err != nil {
		return err
	}
	var jobs []*timeline
	for range rounds {
		t, err := traceOne(who, run)
		if err != nil {
			return err
		}
		jobs = append(jobs, t)
	}
	slices.SortFunc(jobs, func(a, b *timeline) int { return cmp.Compare(a.answer, b.answer) })
	printTimeline(jobs[len(jobs)/2])
	printSums(jobs)
	return nil
}

// threads are those of the daemon and of the spawner, its child.
func threads(pid int) (map[int]string, error) {
	who := map[int]string{}
	for role, process := range map[string]string{"daemon": strconv.Itoa(pid), "spawner": ""} {
		if role == "spawner" {
			children, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", pid))
			if err != nil {
				return nil, err
			}
			for _, file := range children {
				b, _ := os.ReadFile(file) // a thread may have ended
				process += string(b)
			}
			process = strings.TrimSpace(process)
		}
		tasks, err := os.ReadDir(filepath.Join("/proc", process, "task"))
		if err != nil {
			return nil, fmt.Errorf("find the %s: %w", role, err)
		}
		for _, task := range tasks {
			who[number(task.Name())] = role
		}
	}
	return who, nil
}

// traceOne traces one job, and for a while after it what takes its sandbox down.
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
func printTimeline(t *timeline) {
	fmt.Printf("\none cold no-op, answered after %.0f us (traced: about twice the usual)\n", t.answer)
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

// printSums prints what all jobs did, for one job on average.
func printSums(jobs []*timeline) {
	type key struct{ who, what string }
	type sum struct {
		calls, faults int
		cpu           float64
	}
	sums, all := map[key]sum{}, map[string]sum{}
	for _, t := range jobs {
		for _, s := range t.segments() {
			for _, into := range []struct {
				sums map[key]sum
				key  key
			}{{sums, key{s.who, s.what}}} {
				old := into.sums[into.key]
				into.sums[into.key] = sum{old.calls + 1, old.faults + s.faults, old.cpu + s.cpu}
			}
			old := all[s.who]
			all[s.who] = sum{old.calls + 1, old.faults + s.faults, old.cpu + s.cpu}
		}
	}
	n := float64(len(jobs))
	fmt.Printf("\n%-44s %10s %10s %10s\n", fmt.Sprintf("a cold no-op, mean of %d", len(jobs)), "CPU us", "calls", "faults")
	for _, who := range slices.SortedFunc(maps.Keys(all), func(a, b string) int { return cmp.Compare(all[b].cpu, all[a].cpu) }) {
		fmt.Printf("  %-42s %10.0f %10s %10.1f\n", who, all[who].cpu/n, "", float64(all[who].faults)/n)
		keys := slices.SortedFunc(maps.Keys(sums), func(a, b key) int { return cmp.Compare(sums[b].cpu, sums[a].cpu) })
		for _, k := range keys {
			if s := sums[k]; k.who == who && s.cpu/n >= worthALine {
				fmt.Printf("    %-40s %10.0f %10.1f %10.1f\n", k.what, s.cpu/n, float64(s.calls)/n, float64(s.faults)/n)
			}
		}
	}
}

func number(s string) int {
	n, _ := strconv.Atoi(s)
	return n
}
