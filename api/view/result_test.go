// SPDX-License-Identifier: Apache-2.0

package view

import (
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ccee-dev/ccee/job"
)

var update = flag.Bool("update", false, "rewrite the golden files")

func output(s string) job.Output { return job.Output{Data: []byte(s), Bytes: int64(len(s))} }

// compiled is a job of two steps.
func compiled(out, errs [2]job.Output) job.Result {
	zero := 0
	step := func(name string, i int) job.Step {
		return job.Step{
			Name: name, Verdict: job.Exited, ExitCode: &zero, Stdout: out[i], Stderr: errs[i],
			Usage:    job.Usage{WallMs: 100.4, CPUUserMs: 50, CPUSystemMs: 5, MemoryPeakBytes: int64(10*(2-i)) << 20, PidsPeak: int64(2 + i)},
			Limits:   job.Limits{WallMs: 3000, MemoryBytes: 128 * job.MiB, OutputBytes: 65_536},
			Evidence: []job.Evidence{{Source: "wait status", Value: 0}},
		}
	}
	return job.Result{Status: job.Succeeded, Verdict: job.Exited, ExitCode: &zero, WallMs: 201.5, Tier: "jail",
		Steps: []job.Step{step("compile", 0), step("run", 1)}}
}

func TestResultGolden(t *testing.T) {
	startFailed := killed(job.StartFailed, "")
	startFailed.Steps[0].Message = "exec /usr/bin/python3: no such file or directory"
	files := exited(0, "")
	files.OutputFiles = &job.OutputFiles{
		Files:   []job.File{{Name: "a.txt", Data: []byte("<ä>\n")}, {Name: "b/c", Data: []byte{0xff, 0}, Exec: true}, {Name: "empty"}},
		Skipped: []job.Skipped{{Name: "link", Reason: job.SkipSymlink}, {Name: "big", Reason: job.SkipTooLarge, Bytes: 1 << 40}, {Name: "o\n\xff", Reason: job.SkipName}},
		More:    7,
	}
	none := exited(0, "")
	none.OutputFiles = &job.OutputFiles{}
	tails := exited(0, "0\n1\n")
	tails.Steps[0].Limits.OutputTailBytes = 4
	tails.Steps[0].Stdout = job.Output{Data: []byte("0\n1\n"), Tail: []byte("\xa99\n"), Bytes: 20, Truncated: true}
	tails.Steps[0].Interleaving = []job.Chunk{{Stream: "stdout", Offset: 0, Bytes: 4}, {Stream: "stdout", Offset: 17, Bytes: 3}}
	for name, tt := range map[string]struct {
		r     job.Result
		coded bool
	}{
		"files":        {files, false},
		"files-base64": {files, true},
		"no-files":     {none, false},
		"tails":        {tails, false},
		"hello":        {exited(0, "hello\n"), false},
		"hello-base64": {exited(0, "hello\n"), true},
		"two-steps":    {compiled([2]job.Output{output("note\n"), output("out <&>\n")}, [2]job.Output{output("warn\n"), output("err\n")}), false},
		"binary":       {exited(0, "\xff\x00\n"), false},
		"timeout":      {killed(job.WallTime, "SIGKILL"), false},
		"start-failed": {startFailed, false},
		"cancelled":    {cancelled(), false},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := json.MarshalIndent(NewResult(&tt.r, tt.coded), "", "  ")
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, '\n')
			file := filepath.Join("testdata", "result-"+name+".json")
			if *update {
				if err := os.WriteFile(file, got, 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), string(got)); diff != "" {
				t.Errorf("%s (-want +got):\n%s", file, diff)
			}
		})
	}
}

// The output of two steps together is cut to what one may keep, not inside a character, and the cut shows.
func TestResultCutsJoinedOutput(t *testing.T) {
	half := strings.Repeat("é", 20_000) // 40,000 bytes
	r := compiled([2]job.Output{output(half), output("x" + half)}, [2]job.Output{output("short"), output("er")})
	v := NewResult(&r, false)
	if want := half + "x" + strings.Repeat("é", 12_767); v.Stdout != want || !v.StdoutTruncated {
		t.Errorf("stdout has %d bytes, truncated %v; want %d, true", len(v.Stdout), v.StdoutTruncated, len(want))
	}
	if v.Stderr != "shorter" || v.StderrTruncated || v.StderrBase64 != nil {
		t.Errorf("stderr %q, truncated %v, base64 %v; want shorter, false, none", v.Stderr, v.StderrTruncated, v.StderrBase64)
	}
	if v.Usage.StdoutBytes != 80_001 {
		t.Errorf("stdoutBytes %d, want 80001", v.Usage.StdoutBytes)
	}
	if v.StdoutBase64 == nil || len(*v.StdoutBase64) != (65_536+2)/3*4 {
		t.Errorf("a character is cut, so the text is not all: base64 %v, want 65536 bytes in it", v.StdoutBase64)
	}
}

// Of two steps' outputs together the first and the last bytes are shown too.
func TestResultJoinsTails(t *testing.T) {
	tail := func(data, tail string, bytes int64) job.Output {
		return job.Output{Data: []byte(data), Tail: []byte(tail), Bytes: bytes, Truncated: true}
	}
	for _, tt := range []struct {
		name         string
		compile, run job.Output
		head, tail   string
		omitted      int64
	}{
		{"run's", output("warning\n"), tail("ab", "yz", 26), "warning\nab", "yz", 22},
		{"run's, with too much before", output("warning 12\n"), tail("ab", "yz", 26), "warning 12", "yz", 25},
		{"compile's", tail("ab", "yz", 26), output("1\n"), "ab", "yz1\n", 22},
		{"compile's, with too much after", tail("ab", "yz", 26), output("123456\n"), "ab", "3456\n", 26},
		{"both", tail("ab", "yz", 26), tail("AB", "YZ", 26), "ab", "YZ", 48},
	} {
		r := compiled([2]job.Output{tt.compile, tt.run}, [2]job.Output{})
		for i := range r.Steps {
			r.Steps[i].Limits.OutputBytes, r.Steps[i].Limits.OutputTailBytes = 12, 5
		}
		v := NewResult(&r, false)
		if v.StdoutTail == nil || v.Stdout != tt.head || *v.StdoutTail != tt.tail || v.StdoutOmittedBytes != tt.omitted || !v.StdoutTruncated {
			t.Errorf("%s: %q, %d, %q, want %q, %d, %q", tt.name, v.Stdout, v.StdoutOmittedBytes, *v.StdoutTail, tt.head, tt.omitted, tt.tail)
		}
	}
}

// A step may be allowed more than the default; the joined output then is too.
func TestResultKeepsRaisedOutput(t *testing.T) {
	big := strings.Repeat("x", 100_000)
	r := exited(0, big)
	r.Steps[0].Limits.OutputBytes = 200_000
	if v := NewResult(&r, false); v.Stdout != big || v.StdoutTruncated {
		t.Errorf("stdout has %d bytes, truncated %v; want %d, false", len(v.Stdout), v.StdoutTruncated, len(big))
	}
}

func TestResultWithoutSteps(t *testing.T) {
	v := NewResult(&job.Result{Status: job.StatusCancelled, Verdict: job.VerdictCancelled}, true)
	if v.Compile != nil || v.Run != nil || v.Status != "cancelled" || v.Evidence == nil {
		t.Errorf("%+v", v)
	}
}

// exited is the result of a program that ran for 41.6 ms, printed out and ended with code.
func exited(code int, out string) job.Result {
	status := job.Succeeded
	if code != 0 {
		status = job.Failed
	}
	run := job.Step{
		Name: "run", Verdict: job.Exited, ExitCode: &code,
		Stdout: job.Output{Data: []byte(out), Bytes: int64(len(out))},
		Usage:  job.Usage{WallMs: 40.2, CPUUserMs: 11, CPUSystemMs: 3, MemoryPeakBytes: 9 * job.MiB, PidsPeak: 1},
		Limits: job.DefaultRun, Evidence: []job.Evidence{{Source: "wait status", Value: int64(code)}},
	}
	return job.Result{Status: status, Verdict: job.Exited, ExitCode: &code, WallMs: 41.6, Steps: []job.Step{run}, Tier: "jail",
		Image: "sha256:" + strings.Repeat("ab", 32)}
}

func killed(v job.Verdict, signal string) job.Result {
	r := exited(0, "")
	r.Status, r.Verdict, r.ExitCode, r.Signal = job.Failed, v, nil, signal
	s := &r.Steps[0]
	s.Verdict, s.ExitCode, s.Signal = v, nil, signal
	s.Evidence = []job.Evidence{{Source: "timer", Value: 3001, Limit: 3000, Unit: "ms"}}
	return r
}

func cancelled() job.Result {
	r := killed(job.VerdictCancelled, "SIGKILL")
	r.Status = job.StatusCancelled
	return r
}
