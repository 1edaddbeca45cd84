// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
)

// tracefs is an instance of the kernel's tracer that follows some threads and all that they start:
// https://docs.kernel.org/trace/ftrace.html. Its buffers are its own, so it disturbs no other use of the tracer.
type tracefs struct{ dir string }

// traced are the events that say where time goes.
var traced = []string{"syscalls", "sched/sched_switch", "sched/sched_process_fork", "sched/sched_process_exec", "sched/sched_process_exit", "exceptions/page_fault_user"}

func newTracefs(tids []string) (*tracefs, error) {
	const root = "/sys/kernel/tracing"
	if _, err := os.Stat(filepath.Join(root, "instances")); errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("this kernel has no tracer at %s: mount tracefs there, on a kernel with CONFIG_FTRACE_SYSCALLS", root)
	}
	t := &tracefs{filepath.Join(root, "instances", fmt.Sprintf("ccee-bench-%d", os.Getpid()))}
	if err := os.Mkdir(t.dir, 0o700); err != nil {
		return nil, err
	}
	settings := [][2]string{{"buffer_size_kb", "8192"}, {"options/event-fork", "1"}, {"set_event_pid", strings.Join(tids, " ")}}
	for _, event := range traced {
		settings = append(settings, [2]string{"events/" + event + "/enable", "1"})
	}
	for _, s := range settings {
		if err := t.write(s[0], s[1]); err != nil {
			return nil, errors.Join(err, t.close())
		}
	}
	return t, nil
}

func (t *tracefs) write(file, text string) error {
	f, err := os.OpenFile(filepath.Join(t.dir, file), os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = f.WriteString(text)
	return errors.Join(err, f.Close())
}

// mark puts a line of ours among the events.
func (t *tracefs) mark(text string) error { return t.write("trace_marker", text) }

func (t *tracefs) close() error {
	return errors.Join(t.write("tracing_on", "0"), os.Remove(t.dir))
}

// event is one line of the tracer.
type event struct {
	us   float64
	tid  int
	name string // of the event, or of the system call with a ( or a -> behind
	text string
}

var eventLine = regexp.MustCompile(`^.*-(\d+)\s+\[\d+\]\s+\S+\s+(\d+\.\d+): (\S+?)(\(|: | -> )(.*)$`)

// events reads and clears the trace.
func (t *tracefs) events() ([]event, error) {
	if err := t.write("tracing_on", "0"); err != nil {
		return nil, err
	}
	f, err := os.Open(filepath.Join(t.dir, "trace"))
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var all []event
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		m := eventLine.FindStringSubmatch(lines.Text())
		if m == nil {
			continue
		}
		tid, _ := strconv.Atoi(m[1])
		seconds, _ := strconv.ParseFloat(m[2], 64)
		all = append(all, event{seconds * 1e6, tid, m[3] + strings.Trim(m[4], ": "), m[5]})
	}
	return all, lines.Err()
}
