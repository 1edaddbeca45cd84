// SPDX-License-Identifier: Apache-2.0

package daemon

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/ccee-dev/ccee/daemon/plan"
	"github.com/ccee-dev/ccee/job"
	"github.com/ccee-dev/ccee/rootfs"
)

// outside runs jobs as an operator would without us: the image's runtime in a chroot, with nothing of ours that starts or ends it.
type outside struct {
	served *served // whose languages they are
	store  *rootfs.Store
	dir    string
	python string // where its image is
}

// chrooted is run by unshare as the first process of its namespaces, so that the program isn't: a first process doesn't die of most
// signals. What it says itself goes nowhere; descriptor 3 is the program's stderr, 4 is for its status. The compile step of a language that
// has none is true(1).
const chrooted = `exec 2>/dev/null
root=$1 files=$2 compile=$3 run=$4
mount -t tmpfs -o mode=1777 tmp "$root/tmp" && mount -t tmpfs -o mode=777 work "$root/workspace" &&
mount --bind /dev "$root/dev" && mount -t proc proc "$root/proc" && cp -r "$files/." "$root/workspace" || exit 1
for step in "$compile" "$run"; do
	/bin/sh -c 'exec /usr/sbin/chroot --userspec=1000:1000 "$0" /bin/sh -c "cd /workspace && exec $1" 2>&3 3>&- 4>&-' "$root" "$step"
	status=$?
	[ $status = 0 ] || break
done
echo $status >&4`

func newOutside(t *testing.T, s *served) *outside {
	t.Helper()
	o := &outside{served: s, store: openImages(t), dir: t.TempDir()}
	t.Cleanup(func() { o.store.Close() })
	return o
}

// plain returns a copy of Python's image in which there is no sitecustomize: that is our start-up code, and it is looked for in cold starts
// too. Of the other images nothing of ours is in a cold start.
func (o *outside) plain(t *testing.T, root, language string) string {
	t.Helper()
	if language != "python" {
		return root
	}
	if o.python != "" {
		return o.python
	}
	o.python = filepath.Join(o.dir, language)
	if out, err := exec.Command("cp", "-a", root, o.python).CombinedOutput(); err != nil {
		t.Fatalf("copy the image: %v %s", err, out)
	}
	for _, name := range []string{"sitecustomize.py", "__pycache__/sitecustomize.cpython-313.pyc"} {
		if err := os.Remove(filepath.Join(o.python, "usr/lib/python3.13", name)); err != nil {
			t.Fatal(err)
		}
	}
	return o.python
}

// run returns how the program ended and what it wrote.
func (o *outside) run(t *testing.T, spec job.Spec) string {
	t.Helper()
	t.Helper()
	lang, err := o.served.languages.lookup(context.Background(), spec.Language)
	if err != nil {
		t.Fatal(err)
	}
	p, err := plan.New(spec, lang.profile)
	if err != nil {
		t.Fatal(err)
	}
	root, err := o.store.Unpack(context.Background(), lang.image)
	if err != nil {
		t.Fatal(err)
	}
	files := t.TempDir()
	compile := "true"
	for i, step := range p.Steps {
		for _, f := range step.Files {
			name := filepath.Join(files, f.Name)
			if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(name, f.Data, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		if i < len(p.Steps)-1 {
			compile = quoted(step.Args)
		}
	}
	last := p.Last()
	var stdout, stderr, status strings.Builder
	// Whoever runs the tests may ignore signals (nohup does), and children inherit that.
	cmd := exec.Command("env", "--default-signal", "unshare", "--mount", "--pid", "--fork", "--kill-child", "--net", "--ipc", "--uts", "--",
		"/bin/sh", "-c", chrooted, "sh", o.plain(t, root, p.Lang.Name), files, compile, quoted(last.Args))
	cmd.Env, cmd.Stdin, cmd.Stdout = last.Env, strings.NewReader(string(spec.Stdin)), &stdout
	wait := []func(){piped(t, cmd, &stderr), piped(t, cmd, &status)}
	if err := cmd.Run(); err != nil {
		t.Fatalf("outside: %v", err)
	}
	for _, w := range wait {
		w()
	}
	code, err := strconv.Atoi(strings.TrimSpace(status.String()))
	if err != nil {
		t.Fatalf("outside: status %q", status.String())
	}
	if code > 128 && unix.SignalName(unix.Signal(code-128)) != "" && last.Args[0] != "/usr/lib/jvm/java/bin/java" {
		return endText(nil, unix.SignalName(unix.Signal(code-128)), stdout.String(), stderr.String())
	}
	return endText(&code, "", stdout.String(), stderr.String())
}

// piped gives cmd one more descriptor, whose text comes into to; the function that it returns waits for its end, when cmd is over.
func piped(t *testing.T, cmd *exec.Cmd, to *strings.Builder) func() {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.ExtraFiles = append(cmd.ExtraFiles, w)
	done := make(chan struct{})
	go func() {
		defer close(done)
		io.Copy(to, r)
	}()
	return func() { w.Close(); <-done; r.Close() }
}

func quoted(args []string) string {
	var b strings.Builder
	for _, a := range args {
		b.WriteString("'" + strings.ReplaceAll(a, "'", `'\''`) + "' ")
	}
	return b.String()
}

// endOf is what a program's user knows of its end, as outside.run returns it.
func endOf(s *job.Step) string {
	return endText(s.ExitCode, s.Signal, string(s.Stdout.Data), string(s.Stderr.Data))
}

func endText(code *int, signal, stdout, stderr string) string {
	how := signal
	if code != nil {
		how = strconv.Itoa(*code)
	}
	return fmt.Sprintf("%s\n%s\n%s", how, stdout, stderr)
}
