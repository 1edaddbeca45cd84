// SPDX-License-Identifier: Apache-2.0

package daemon

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/ccee-dev/ccee/daemon/slots"
	"github.com/ccee-dev/ccee/e2e/patience"
	"github.com/ccee-dev/ccee/job"
)

var (
	readyNow = regexp.MustCompile(`(?m)^ccee_daemon_ready_sandboxes (\d+)`)
	taken    = regexp.MustCompile(`(?m)^ccee_daemon_sandboxes_total\{from="(\w+)"\} (\d+)`)
)

// awaitReady returns once the daemon has at least as many sandboxes ready.
func (s *served) awaitReady(t *testing.T, n int) {
	t.Helper()
	patience.Until(t, fmt.Sprintf("%d sandboxes are ready", n), func() (bool, string) {
		_, text := s.ask(t, "GET", "/metrics", "", "")
		m := readyNow.FindStringSubmatch(text)
		if m == nil {
			return false, text
		}
		have, _ := strconv.Atoi(m[1])
		return have >= n, text
	})
}

// from is how many sandboxes came from there.
func (s *served) from(t *testing.T, where string) string {
	_, text := s.ask(t, "GET", "/metrics", "", "")
	for _, m := range taken.FindAllStringSubmatch(text, -1) {
		if m[1] == where {
			return m[2]
		}
	}
	return "0"
}

// comparable is all of a result that may not differ from run to run.
func comparable(res job.Result) string {
	var b strings.Builder
	for s := range res.EveryStep() {
		code := "none"
		if s.ExitCode != nil {
			code = strconv.Itoa(*s.ExitCode)
		}
		fmt.Fprintf(&b, "%s %s %s %s\n%s%s%d %d %+v\n", s.Name, s.Verdict, code, s.Signal, s.Stdout.Data, s.Stderr.Data, s.Stdout.Bytes, s.Stderr.Bytes, s.Limits)
	}
	fmt.Fprintf(&b, "%s %s %s", res.Status, res.Verdict, verdictsOf(res))
	if res.OutputFiles != nil {
		b.WriteString(summary(res.OutputFiles))
	}
	return b.String()
}

// A sandbox that somebody kills while it waits costs no job anything.
func TestReadyKilled(t *testing.T) {
	s := realDaemon(t, func(o *Options) { o.Ready = 2 })
	hello := job.Spec{Language: "python", Source: "print('hello')"}
	s.runSpec(t, hello)
	s.awaitReady(t, 2)
	killed := 0
	for _, file := range glob(t, "/proc/[0-9]*/status") { // root of a sandbox is its sandbox-init
		b, err := os.ReadFile(file)
		if err != nil || !strings.Contains(string(b), fmt.Sprintf("\nUid:\t%d\t", firstReady(s))) {
			continue // gone meanwhile
		}
		pid, _ := strconv.Atoi(strings.Split(file, "/")[2])
		if err := unix.Kill(pid, unix.SIGKILL); err != nil {
			t.Fatal(err)
		}
		killed++
	}
	if killed == 0 {
		t.Fatal("there is no sandbox-init of that user")
	}
	for range 3 {
		if res := s.runSpec(t, hello); res.Status != job.Succeeded {
			t.Errorf("%s %s", res.Status, res.Verdict)
		}
	}
}

func glob(t *testing.T, pattern string) []string {
	t.Helper()
	files, err := filepath.Glob(pattern)
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// firstReady is the host id of root in the first sandbox that a daemon prewarms.
func firstReady(s *served) int64 {
	root, _ := slots.HostIDs(s.slots.Budget().First + s.slots.Budget().Slots)
	return root
}

func eventually(t *testing.T, so func() bool) {
	t.Helper()
	patience.Until(t, "the condition of this line", func() (bool, string) { return so(), "false" })
}
