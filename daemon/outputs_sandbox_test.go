// SPDX-License-Identifier: Apache-2.0

package daemon

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"github.com/ccee-dev/ccee/daemon/outputs"
	"github.com/ccee-dev/ccee/daemon/slots"
	"github.com/ccee-dev/ccee/e2e/patience"
	"github.com/ccee-dev/ccee/job"
	"github.com/ccee-dev/ccee/nsjail"
	"github.com/ccee-dev/ccee/rootfs"
	"github.com/ccee-dev/ccee/seccomp"
)

// TestOutputFiles has one program for each thing that can come out, or must not.
func TestOutputFiles(t *testing.T) {
	s := realDaemon(t, nil)
	long := strings.Repeat("n", 255)
	for _, tt := range []struct {
		name    string
		source  string
		globs   []string
		limits  job.Limits
		verdict job.Verdict
		want    string // see summary
	}{
		{"files and directories", "import os\nos.makedirs('out/deep')\nopen('out/deep/a.bin', 'wb').write(b'\\x00\\xff')\nopen('b.txt', 'w').write('ä')\nopen('tool', 'w').write('#!')\nos.chmod('tool', 0o755)",
			[]string{"out/**", "*.txt", "tool"}, job.Limits{}, job.Exited, "b.txt \"ä\"\nout/deep/a.bin \"\\x00\\xff\"\ntool x \"#!\"\n"},
		{"nothing matches", "open('a', 'w')", []string{"b", "c/*"}, job.Limits{}, job.Exited, ""},
		{"the source", "pass", []string{"*.py"}, job.Limits{}, job.Exited, "main.py \"pass\"\n"},
		{"after a failure", "open('a', 'w').write('kept'); raise SystemExit(3)", []string{"a"}, job.Limits{}, job.Exited, "a \"kept\"\n"},
		{"after the deadline", "open('a', 'w').write('kept')\nwhile True: pass", []string{"a"}, job.Limits{WallMs: 500}, job.WallTime, "a \"kept\"\n"},
		{"after the kernel's OOM killer", "open('a', 'w').write('kept')\nx = []\nwhile True: x.append(bytearray(1 << 20))", []string{"a"}, job.Limits{MemoryBytes: 64 * job.MiB}, job.OOMKilled, "a \"kept\"\n"},
		{"links that lead out", "import os\nos.symlink('/etc/passwd', 'a')\nos.symlink('/etc', 'd')\nos.symlink('../..', 'up')\nos.symlink('/proc/self/exe', 'magic')\nos.symlink('loop', 'loop')",
			[]string{"*", "d/passwd", "up/**"}, job.Limits{}, job.Exited,
			"main.py \"import os\\nos.symlink\"\n\"a\" symlink 0\n\"d\" symlink 0\n\"loop\" symlink 0\n\"magic\" symlink 0\n\"up\" symlink 0\n"},
		{"a FIFO in the place of the result", "import os; os.mkfifo('result')", []string{"result"}, job.Limits{}, job.Exited, "\"result\" fifo 0\n"},
		{"a socket in the place of the result", "import socket; socket.socket(socket.AF_UNIX).bind('result')", []string{"result"}, job.Limits{}, job.Exited, "\"result\" socket 0\n"},
		{"a directory in the place of the result", "import os; os.makedirs('result/x')", []string{"result"}, job.Limits{}, job.Exited, "\"result\" directory 0\n"},
		{"hard links", "import os\nopen('a', 'w').write('one')\nos.link('a', 'b')\ntry: os.link('/etc/passwd', 'c')\nexcept OSError: pass", []string{"a", "b", "c"}, job.Limits{}, job.Exited, "a \"one\"\nb \"one\"\n"},
		{"names", "import os\nfor n in [b'o\\nn', b'o\\xff', b'o\\x1b]0;x\\x07', b'o\\\\', b'..a', 'oä'.encode(), b'n' * 255]: open(n, 'w').write('x')",
			[]string{"o*", "..a", "n*"}, job.Limits{}, job.Exited,
			"..a \"x\"\n" + long + " \"x\"\noä \"x\"\n\"o\\nn\" name 0\n\"o\\x1b]0;x\\a\" name 0\n\"o\\\\\" name 0\n\"o\\xff\" name 0\n"},
		{"modes", "import os\nos.mkdir('d')\nopen('d/a', 'w').write('x')\nos.chmod('d/a', 0)\nos.chmod('d', 0)\nos.chmod('.', 0)", []string{"d/*"}, job.Limits{}, job.Exited, "d/a \"x\"\n"},
		{"a tree deeper than PATH_MAX", "import os\nfor i in range(600):\n  os.mkdir('deeper-and-deeper')\n  os.chdir('deeper-and-deeper')\nopen('bottom', 'w')",
			[]string{"**/bottom"}, job.Limits{}, job.Exited, fmt.Sprintf("%q too_deep 0\n", strings.Repeat("deeper-and-deeper/", 7)+"deeper-and-deeper")},
		{"a file that is mostly hole", "f = open('a', 'wb'); f.truncate(200 << 20)", []string{"a"}, job.Limits{FileSizeBytes: 256 * job.MiB}, job.Exited, "\"a\" too_large 209715200\n"},
		{"a hole that fits", "f = open('a', 'wb'); f.truncate(4 << 20)", []string{"a"}, job.Limits{OutputFileBytes: 4 * job.MiB, OutputFilesBytes: 4 * job.MiB}, job.Exited, fmt.Sprintf("a %.20q\n", strings.Repeat("\x00", 20))},
	} {
		t.Run(tt.name, func(t *testing.T) {
			res := s.runSpec(t, job.Spec{Language: "python", Source: tt.source, OutputFiles: tt.globs, Run: tt.limits})
			if res.Verdict != tt.verdict || res.OutputFiles == nil {
				t.Fatalf("verdict %s, want %s\n%s", res.Verdict, tt.verdict, describeStep(last(t, res)))
			}
			if got := summary(res.OutputFiles); got != tt.want {
				t.Errorf("got\n%s\nwant\n%s\n%s", got, tt.want, describeStep(last(t, res)))
			}
		})
	}
	if res := s.runSpec(t, job.Spec{Language: "python", Source: "open('a', 'w')"}); res.OutputFiles != nil {
		t.Errorf("a job that asks for no files has %+v", res.OutputFiles)
	}
}

// TestManyOutputFiles: ten thousand files cost no more than what is asked for.
func TestManyOutputFiles(t *testing.T) {
	s := realDaemon(t, nil)
	res := s.runSpec(t, job.Spec{Language: "python", Source: "for i in range(10_000): open(f'f{i:05}', 'w').write('x')",
		OutputFiles: []string{"f*"}, Run: job.Limits{CPUMillicores: 1000, OutputFilesMax: 256}})
	out := res.OutputFiles
	if out == nil || len(out.Files) != 256 || out.Files[255].Name != "f00255" || len(out.Skipped) != 64 || out.Skipped[0].Reason != job.SkipTooMany || out.More != 10_000-256-64 {
		t.Errorf("got %+v\n%s", out, describeStep(last(t, res)))
	}
}

// twoSteps is a Runner whose one language runs first.py and then second.py, in real sandboxes on the image of Python.
func twoSteps(t *testing.T) *Runner {
	t.Helper()
	if os.Geteuid() != 0 {
		cannot(t, "needs root")
	}
	store := openImages(t)
	images, err := store.List(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	python, err := offering(images...).lookup(t.Context(), "python")
	if err != nil {
		cannot(t, "needs the image of Python: %v", err)
	}
	filters, err := newFilters(seccomp.Default(), jailTier, zerolog.Nop())
	if err != nil {
		t.Fatal(err)
	}
	cgroups, err := nsjail.OpenCgroups(fmt.Sprintf("ccee-test-%d-%d", os.Getpid(), started.Add(1)))
	if err != nil {
		t.Fatal(err)
	}
	spawner, err := newSpawner(cgroups, store.Dir())
	if err != nil {
		t.Fatal(err)
	}
	sl := slots.New(slots.Budget{Slots: 1, Memory: 1 << 40, Millicores: 1 << 20, Pids: 1 << 20, Machine: 1 << 20, Share: 100, Queue: 1, Wait: time.Minute})
	r := &Runner{
		tracer:     (&Options{}).tracer(),
		languages:  offering(profiled("two", `{"name":"two","sourceFile":"first.py","compile":["/usr/bin/python3","first.py"],"run":["/usr/bin/python3","second.py"]}`, 1)),
		unpack:     func(ctx context.Context, _ rootfs.Image) (string, error) { return store.Unpack(ctx, python.image) },
		newSandbox: spawner.new, slots: sl, filters: filters, metrics: newMetrics(sl), log: zerolog.New(io.Discard), outputs: outputs.NewCollector(),
	}
	t.Cleanup(func() {
		r.wait()
		for _, end := range []func() error{spawner.close, cgroups.Close, store.Close} {
			if err := end(); err != nil {
				t.Error(err)
			}
		}
	})
	return r
}

// TestOutputFilesOfTwoSteps: what the compile step plants, or leaves running, can't reach what the run step hands back.
func TestOutputFilesOfTwoSteps(t *testing.T) {
	r := twoSteps(t)
	run := func(first, second string) job.Result {
		t.Helper()
		ample := job.Limits{WallMs: 60_000, CPUMs: 60_000, CPUMillicores: 4000} // also where the machine is emulated
		res, err := r.Run(patience.Context(t), job.Spec{ID: "1", Language: "two", Compile: ample, Run: ample, Source: "#\n" + first, OutputFiles: []string{"out.txt", "dir/passwd", "good.txt", "log", "swap"},
			Files: []job.File{{Name: "second.py", Data: []byte(second)}}}, func(job.Event) error { return nil })
		if err != nil {
			t.Fatal(err)
		}
		return res
	}
	// A descendant goes on swapping a file for a link when its step is over, or would.
	const swapper = `import os
r, w = os.pipe()
if os.fork() == 0:
    os.setsid()
    while True:
        with open('new', 'w') as f: f.write('file')
        os.rename('new', 'swap')
        if w: os.close(w)
        w = None
        os.symlink('/etc/passwd', 'new')
        os.rename('new', 'swap')
os.close(w)
os.read(r, 1)
`
	res := run(swapper+`
os.symlink('/etc/passwd', 'out.txt')
os.symlink('/etc', 'dir')
os.mkfifo('log')
`, `import os
print([p for p in os.listdir('/proc') if p.isdigit() and p not in ('1', str(os.getpid()))])
try: open('out.txt', 'w').write('good')
except OSError: open('good.txt', 'w').write('good')
if os.path.islink('swap'): os.remove('swap')
open('swap', 'w').write('mine')
`)
	if got, want := string(last(t, res).Stdout.Data), "[]\n"; got != want {
		t.Errorf("processes of the first step are alive in the second: %q\n%s", got, describeStep(last(t, res)))
	}
	if got, want := summary(res.OutputFiles), "good.txt \"good\"\nswap \"mine\"\n\"dir\" symlink 0\n\"log\" fifo 0\n\"out.txt\" symlink 0\n"; got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
	for range 5 {
		got := summary(run("", swapper).OutputFiles)
		if got != "swap \"file\"\n" && got != "\"swap\" symlink 0\n" {
			t.Errorf("what was swapped until the end of the run step is %q", got)
		}
	}
	res = run("open('log', 'w').write('why'); raise SystemExit(1)", "")
	if got, want := summary(res.OutputFiles), "log \"why\"\n"; got != want || len(res.Steps) != 1 {
		t.Errorf("after a failed first step: %q, want %q", got, want)
	}
}

// TestOutputFilesOnTheWire: they are in a stream's result too, as base64, and a glob that is none is refused by name.
func TestOutputFilesOnTheWire(t *testing.T) {
	s := realDaemon(t, nil)
	_, body := s.ask(t, "POST", "/v1/run", `{"id":"w","language":"python","sourceCode":"open('a','wb').write(b'\\xff')","outputFiles":["a"],`+amply+`}`, ndjson)
	lines := strings.Split(strings.TrimSpace(body), "\n")
	var ev struct {
		Result struct{ OutputFiles json.RawMessage }
	}
	if err := json.Unmarshal([]byte(lines[len(lines)-1]), &ev); err != nil {
		t.Fatal(err)
	}
	if got, want := string(ev.Result.OutputFiles), `{"files":[{"name":"a","data":"/w=="}]}`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	resp, body := s.ask(t, "POST", "/v1/run", `{"id":"w","language":"python","sourceCode":"1","outputFiles":["/etc/*"]}`, "")
	if resp.StatusCode != 400 || !strings.Contains(body, `"field":"outputFiles"`) {
		t.Errorf("an absolute glob: %d %s", resp.StatusCode, body)
	}
}

// summary is out in one line a file: its name, "x" if executable, its bytes; and the name and reason of what was skipped.
func summary(out *job.OutputFiles) string {
	var b strings.Builder
	for _, f := range out.Files {
		kind := ""
		if f.Exec {
			kind = " x"
		}
		fmt.Fprintf(&b, "%s%s %.20q\n", f.Name, kind, f.Data)
	}
	for _, s := range out.Skipped {
		fmt.Fprintf(&b, "%q %s %d\n", s.Name, s.Reason, s.Bytes)
	}
	if out.More > 0 {
		fmt.Fprintf(&b, "and %d more\n", out.More)
	}
	return b.String()
}
