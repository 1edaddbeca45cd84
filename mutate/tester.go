// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// outcome is what became of a mutation.
type outcome string

const (
	killed    outcome = "killed"    // a test failed, or took too long
	survived  outcome = "survived"  // all tests passed
	unreached outcome = "unreached" // no test runs that line
	broken    outcome = "broken"    // it does not compile
)

// Tests of a mutation get this many times what they take without, and not less than leastTime: another load must not kill.
const (
	patience  = 4
	leastTime = 30 * time.Second
)

// copyTree copies what git knows of, or would add, from the module in root to work.
func copyTree(ctx context.Context, root, work string) error {
	list := exec.CommandContext(ctx, "git", "ls-files", "-z", "--cached", "--others", "--exclude-standard")
	list.Dir = root
	names, err := list.Output()
	if err != nil {
		return fmt.Errorf("git ls-files: %w", err)
	}
	for name := range bytes.SplitSeq(bytes.TrimRight(names, "\x00"), []byte{0}) {
		from, to := filepath.Join(root, string(name)), filepath.Join(work, string(name))
		info, err := os.Stat(from)
		if errors.Is(err, os.ErrNotExist) {
			continue // removed and not yet committed
		} else if err != nil {
			return err
		}
		text, err := os.ReadFile(from)
		if err != nil {
			return err
		}
		if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(to, text, info.Mode().Perm()); err != nil {
			return err
		}
	}
	return nil
}

// tester runs the tests of one package in the copy.
type tester struct {
	work, dir string
	args      []string // of go test
	limit     time.Duration
	reached   map[string]bool // file:line that tests run
}

// newTester runs the tests as they are: they must pass, and tell which lines they reach and how long they take.
func newTester(ctx context.Context, work, dir string, o options) (*tester, error) {
	args := append([]string{"test", "-count=1", "-vet=off", "-failfast"}, strings.Fields(o.flags)...)
	t := &tester{work: work, dir: dir, args: append(append(args, "./"+dir), strings.Fields(o.with)...), limit: time.Hour}
	profile := filepath.Join(work, ".reached")
	begin := time.Now()
	if end, out, err := t.test(ctx, "-coverpkg=./"+dir, "-coverprofile="+profile); err != nil {
		return nil, err
	} else if end != survived {
		return nil, fmt.Errorf("the tests fail without a mutation:\n%s", out)
	}
	t.limit = max(leastTime, patience*time.Since(begin))
	var err error
	t.reached, err = readProfile(profile, dir)
	return t, err
}

// readProfile returns the lines, as file:line, that a coverage profile counts.
func readProfile(profile, dir string) (map[string]bool, error) {
	f, err := os.Open(profile)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	reached := map[string]bool{}
	for lines := bufio.NewScanner(f); lines.Scan(); {
		// module/dir/file.go:startLine.startColumn,endLine.endColumn statements count
		var first, last, column, n, count int
		path, rest, _ := strings.Cut(lines.Text(), ":")
		if _, err := fmt.Sscanf(rest, "%d.%d,%d.%d %d %d", &first, &column, &last, &column, &n, &count); err != nil || count == 0 {
			continue
		}
		for line := first; line <= last; line++ {
			reached[fmt.Sprintf("%s/%s:%d", dir, filepath.Base(path), line)] = true
		}
	}
	return reached, nil
}

// try applies a mutation, runs the tests and takes it back. Declarations are in no profile, so only lines within functions can be
// unreached.
func (t *tester) try(ctx context.Context, m mutation) (outcome, error) {
	if strings.HasSuffix(m.file, ".go") && m.tests == "" && !t.reached[fmt.Sprintf("%s:%d", m.file, m.line)] && t.inFunction(m) {
		return unreached, nil
	}
	path := filepath.Join(t.work, m.file)
	text, err := os.ReadFile(path)
	if err != nil {
		return "", err
	}
	mutated := string(text[:m.start]) + m.to + string(text[m.end:])
	if err := os.WriteFile(path, []byte(mutated), 0o644); err != nil {
		return "", err
	}
	var more []string
	if m.tests != "" {
		more = []string{"-run", m.tests}
	}
	end, _, err := t.test(ctx, more...)
	return end, errors.Join(err, os.WriteFile(path, text, 0o644))
}

// inFunction reports whether a mutation is within a function's body: after a line that begins with func and before one that is a lone }.
func (t *tester) inFunction(m mutation) bool {
	text, err := os.ReadFile(filepath.Join(t.work, m.file))
	if err != nil {
		return false
	}
	before := "\n" + string(text[:m.start])
	return strings.LastIndex(before, "\nfunc ") > max(strings.LastIndex(before, "\n}\n"), strings.LastIndex(before, "\n)\n"))
}

// test runs go test, and everything that it started ends with it.
func (t *tester) test(ctx context.Context, more ...string) (outcome, string, error) {
	bounded, cancel := context.WithTimeout(ctx, t.limit)
	defer cancel()
	args := append([]string{t.args[0]}, append(more, t.args[1:]...)...)
	cmd := exec.CommandContext(bounded, "go", args...)
	cmd.Dir = t.work
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = 5 * time.Second
	out, err := cmd.CombinedOutput()
	switch {
	case ctx.Err() != nil:
		return "", "", ctx.Err()
	case err == nil:
		return survived, string(out), nil
	case bytes.Contains(out, []byte("[build failed]")):
		return broken, string(out), nil
	default:
		return killed, string(out), nil
	}
}
