// SPDX-License-Identifier: Apache-2.0

package nsjail

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/ccee-dev/ccee/e2e/fargate"
	"github.com/ccee-dev/ccee/e2e/patience"
)

// taskDir names the variable with the directory that has the places of a Task, in a test that runs in a container's shape.
const taskDir = "NSJAIL_TASK_DIR"

// taskBox is a Task in the shape of a container on Fargate.
type taskBox struct {
	*Task
	dir string
}

// inTask runs the test in such a container; there it returns a Task.
func inTask(t *testing.T) *taskBox {
	t.Helper()
	dir := os.Getenv(taskDir)
	if dir == "" {
		b := requireSandbox(t)
		dir = t.TempDir()
		s := fargate.Shape{Env: []string{taskDir + "=" + dir}, Copies: map[string]string{dir + "/workspace/prog": b.root + "/prog"}}
		for _, name := range []string{"workspace", "tmp", "shm"} {
			s.Writable = append(s.Writable, filepath.Join(dir, name))
			if err := os.Mkdir(filepath.Join(dir, name), 0o755); err != nil {
				t.Fatal(err)
			}
		}
		if err := os.Chmod(filepath.Dir(dir), 0o755); err != nil {
			t.Fatal(err)
		}
		if !fargate.Run(t, s) {
			return nil
		}
	}
	fargate.Run(t, fargate.Shape{})
	task, err := OpenTask([]string{dir + "/workspace", dir + "/tmp", dir + "/shm"}, taskIDs)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := task.Close(); err != nil {
			t.Error(err)
		}
	})
	return &taskBox{task, dir}
}

var taskIDs = []IDMap{{ContainerID: 0, HostID: 1_879_000_100, Size: 1}, {ContainerID: 1000, HostID: 1_879_000_101, Size: 1}}

const taskProgramID = 1_879_000_101

func (b *taskBox) config() Config {
	return Config{
		Root: "/", UIDMappings: taskIDs, GIDMappings: taskIDs, Resources: testResources(), OpenDir: b.dir + "/workspace",
		Mounts: []Tmpfs{
			{Destination: b.dir + "/workspace", Size: 8 << 20, Inodes: 128},
			{Destination: b.dir + "/tmp", Size: 4 << 20, Inodes: 64},
			{Destination: b.dir + "/shm", Size: 4 << 20, Inodes: 64},
		},
	}
}

func (b *taskBox) sandbox(t *testing.T) *Sandbox {
	t.Helper()
	sb, err := b.New(t.Context(), b.config())
	if err != nil {
		t.Fatal(err)
	}
	return sb
}

// shell is a process that runs a script of sh(1).
func (b *taskBox) shell(script string) Process {
	p := process()
	p.Args, p.Cwd, p.Env = []string{"/bin/sh", "-c", script}, b.dir+"/workspace", []string{"PATH=/usr/bin:/bin"}
	return p
}

// run runs one process in a sandbox of its own, and looks that nothing is left of it.
func (b *taskBox) run(t *testing.T, p Process) Result {
	t.Helper()
	sb := b.sandbox(t)
	r, err := sb.Run(patience.Context(t), p)
	if err != nil {
		t.Fatal(err)
	}
	if err := sb.Close(); err != nil {
		t.Error(err)
	}
	b.checkEmpty(t)
	return r
}

// checkEmpty: no process and no file of the program's user is left.
func (b *taskBox) checkEmpty(t *testing.T) {
	t.Helper()
	s, err := sampleProcesses(taskProgramID)
	if err != nil || len(s.list) > 0 {
		t.Errorf("processes are left: %v, %v", s.list, err)
	}
	left, err := exec.Command("find", b.dir, "/dev/shm", "-uid", fmt.Sprint(taskProgramID)).CombinedOutput()
	if err != nil || len(left) > 0 {
		t.Errorf("files are left: %s, %v", left, err)
	}
}

// TestTask runs a program without any namespace and looks at what it has.
func TestTask(t *testing.T) {
	b := inTask(t)
	if b == nil {
		return
	}
	p := b.shell(`id -u; id -G; grep -E '^(Cap|NoNewPrivs|Seccomp:)' /proc/self/status
		cat; cat dir/file; ls -A; umask; echo to stderr >&2; exit 7`)
	p.Stdin = []byte("input\n")
	p.Files = []File{{Name: "dir/file", Data: []byte("a file\n"), Mode: 0o644}}
	p.Rlimits = append(p.Rlimits, Rlimit{Type: unix.RLIMIT_NPROC, Soft: 1000, Hard: 1000})
	r := b.run(t, p)
	want := fmt.Sprintf("%d\n%d\nCapInh:\t0000000000000000\nCapPrm:\t0000000000000000\nCapEff:\t0000000000000000\n"+
		"CapBnd:\t00000000000000e0\n"+
		"CapAmb:\t0000000000000000\nNoNewPrivs:\t1\nSeccomp:\t2\ninput\na file\ndir\nprog\n0022\n", taskProgramID, taskProgramID)
	if got := string(r.Stdout.Data); got != want || r.Verdict != Exited || r.ExitCode != 7 || string(r.Stderr.Data) != "to stderr\n" {
		t.Errorf("%v, exit code %d, %q, want 7:\n%s\nwant\n%s", r.Verdict, r.ExitCode, r.Stderr.Data, got, want)
	}
	if r.Usage.Wall <= 0 || r.Usage.User+r.Usage.System <= 0 {
		t.Errorf("usage %+v, want some of all", r.Usage)
	}
}

// TestTaskLimits: each limit ends the program with the verdict that it has in a jail.
func TestTaskLimits(t *testing.T) {
	b := inTask(t)
	if b == nil {
		return
	}
	prog := func(args ...string) Process {
		p := b.shell("")
		p.Args = append([]string{b.dir + "/workspace/prog"}, args...)
		return p
	}
	const memory = "RssAnon + RssShmem + tmpfs"
	workspace := "statfs " + b.dir + "/workspace"
	wall := func(d time.Duration) func(*Process) {
		return func(p *Process) { p.WallTime = slow(d * time.Millisecond) }
	}
	cpu := func(d time.Duration) func(*Process) {
		return func(p *Process) { p.CPUTime = slow(d * time.Millisecond) }
	}
	anySize := func(p *Process) { p.Rlimits = nil }
	forks := `exec perl -e 'for (1 .. 100) { $p = fork; if (!defined $p) { sleep 1; exit 1 } if (!$p) { sleep 1000 } }'`
	allocates := `exec perl -e 'for (1 .. 6) { if (!fork) { $x = "x" x 20_000_000; sleep 1000 } } wait'`
	fills := "while :; do head -c 1000000 /dev/zero >../shm/f$((i=i+1)); done"
	tests := []struct {
		name    string
		p       Process
		adapt   func(*Process)
		verdict Verdict
		source  string
	}{
		{"wall time", b.shell("sleep 1000"), wall(300), WallTime, "timer wall"},
		{"CPU time", b.shell("while :; do :; done"), cpu(200), CPUTime, userSources.cpu},
		{"CPU time of many", b.shell("for i in 1 2 3 4; do while :; do :; done & done; wait"), cpu(300), CPUTime, userSources.cpu},
		{"memory", prog("take", "anon", "1000000000"), nil, OOMKilled, memory},
		{"memory of many", b.shell(allocates), nil, OOMKilled, memory},
		{"files", b.shell("while :; do head -c 1000000 /dev/zero >f$((i=i+1)) || exit 9; done"), nil, OOMKilled, workspace},
		{"files elsewhere", b.shell(fills), nil, OOMKilled, "statfs " + b.dir + "/shm"},
		{"a file that has no name", b.shell("exec 3>f; rm f; while :; do cat /usr/bin/perl >&3; done"), anySize, OOMKilled, workspace},
		{"many files", b.shell("while :; do mkdir d$((i=i+1)); done"), nil, OOMKilled, workspace},
		{"size of a file", prog("fill", "f", "1048577"), nil, FileSize, ""},
		{"flood", b.shell("yes"), nil, OutputLimit, "bytes counted"},
		{"processes", b.shell(forks), nil, PidsLimit, "RLIMIT_NPROC"},
		{"fork bomb", b.shell("f() { f | f & }; f; sleep 1000"), wall(500), WallTime, "timer wall"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if tt.adapt != nil {
				tt.adapt(&tt.p)
			}
			r := b.run(t, tt.p)
			sources := []string{}
			for _, e := range r.Evidence {
				sources = append(sources, e.Source)
			}
			if r.Verdict != tt.verdict || !strings.Contains(strings.Join(sources, "\n"), tt.source) {
				t.Errorf("verdict %v, evidence %v, %v, exit code %d, stderr %.200q; want %v by %q",
					r.Verdict, r.Evidence, r.Err, r.ExitCode, r.Stderr.Data, tt.verdict, tt.source)
			}
		})
	}
	t.Run("cancelled", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		p := b.shell("trap '' TERM INT HUP; setsid sleep 1000 & sleep 1000")
		p.OnStart = cancel
		sb := b.sandbox(t)
		r, err := sb.Run(ctx, p)
		if err != nil || r.Verdict != Cancelled {
			t.Errorf("%v, %v, want cancelled", r.Verdict, err)
		}
		if err := sb.Close(); err != nil {
			t.Error(err)
		}
		b.checkEmpty(t)
	})
}

// TestTaskNothingIsLeft: what a program leaves behind is gone when its sandbox is, and a step leaves nothing to the next but files.
func TestTaskNothingIsLeft(t *testing.T) {
	b := inTask(t)
	if b == nil {
		return
	}
	other := exec.Command("/bin/sleep", "1000") // of neither the program's user nor root: it must live on
	other.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: taskProgramID + 1, Gid: taskProgramID + 1}}
	if err := other.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = other.Wait() }()
	defer func() { _ = other.Process.Kill() }()

	sb := b.sandbox(t)
	for i, script := range []string{
		`(setsid sh -c 'trap "" TERM; (sleep 1000 & sleep 1000) & sleep 1000' >/dev/null 2>&1 &)
		 echo kept >kept; mkdir -p a/b; echo x >a/b/c; chmod 0 a/b a
		 mkdir ../tmp/t; chmod 0 ../tmp/t; echo x >../shm/s; ln -s / link; mkfifo fifo; exec 1>&- 2>&-`,
		`cat kept; chmod 700 a; pgrep -u $(id -u) sleep`,
	} {
		r, err := sb.Run(patience.Context(t), b.shell(script))
		if err != nil || r.Verdict != Exited {
			t.Fatalf("step %d: %v, %v, %v", i, r.Verdict, r.Err, err)
		}
		if want := []string{"", "kept\n"}[i]; string(r.Stdout.Data) != want {
			t.Errorf("step %d wrote %q, want %q: %s", i, r.Stdout.Data, want, r.Stderr.Data)
		}
		if s, err := sampleProcesses(taskProgramID); err != nil || len(s.list) > 0 {
			t.Errorf("after step %d there are %v, %v", i, s.list, err)
		}
	}
	if _, err := b.New(t.Context(), b.config()); err == nil || !strings.Contains(err.Error(), "one at a time") {
		t.Errorf("a second sandbox: %v, want it refused", err)
	}
	var owned string
	if err := sb.AsOwner(func() {
		fd, err := unix.Openat(sb.Dir(), "kept", unix.O_RDONLY|unix.O_CLOEXEC, 0)
		if err != nil {
			t.Error(err)
			return
		}
		defer unix.Close(fd)
		var buf [16]byte
		n, _ := unix.Read(fd, buf[:])
		owned = string(buf[:n])
	}); err != nil || owned != "kept\n" {
		t.Errorf("read through Dir: %q, %v", owned, err)
	}
	if err := sb.Close(); err != nil {
		t.Error(err)
	}
	b.checkEmpty(t)
	if err := other.Process.Signal(syscall.Signal(0)); err != nil {
		t.Errorf("a process of another user: %v", err)
	}
	if r := b.run(t, b.shell("echo again; ls")); string(r.Stdout.Data) != "again\nprog\n" {
		t.Errorf("the next sandbox: %v %q %q", r.Verdict, r.Stdout.Data, r.Stderr.Data)
	}
}

// TestTaskSecrets tries to get at what the container has that is not the program's.
func TestTaskSecrets(t *testing.T) {
	t.Setenv("SECRET_TOKEN", "xyzzy")
	b := inTask(t)
	if b == nil {
		return
	}
	secret := filepath.Join(b.dir, "tmp", "token")
	if err := os.WriteFile(secret, []byte("xyzzy"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, script := range []string{
		"cat /proc/1/environ", "cat /proc/[0-9]*/environ | grep -a xyzzy", "head -c 1 /proc/1/mem",
		"ls /proc/1/fd /proc/1/task/1/fd", "cat /proc/1/maps", "readlink /proc/1/exe",
		"ls /proc/1/cwd/", "ls /proc/1/root/", "cat " + secret, "rm -f " + secret + " && ! test -e " + secret, "kill -9 1", "kill -STOP 1",
		"echo 0 >/proc/1/oom_score_adj", "ls /root /home", "ls /run", "ls /var", "ls /sys/fs/cgroup",
		"cat /etc/shadow", "touch /var/tmp/x", "touch /run/lock/x",
		"touch /usr/x", "mkdir /dev/mqueue/x", "unshare -U true", "unshare -p true", "mount -t tmpfs none ../tmp", "chroot / true",
		"setpriv --reuid 0 true",
		"setpriv --reuid 1879000100 true", "nsenter -t 1 -p true", "dmesg", "chown 0 ../tmp", "su -c true", "mknod n c 1 3",
	} {
		t.Run(strings.ReplaceAll(script, "/", "_"), func(t *testing.T) {
			r := b.run(t, b.shell(script+" && echo GOT IN"))
			all := string(r.Stdout.Data) + string(r.Stderr.Data)
			if strings.Contains(all, "GOT IN") || strings.Contains(all, "xyzzy") || r.Verdict != Exited {
				t.Errorf("%v: %q %q", r.Verdict, r.Stdout.Data, r.Stderr.Data)
			}
		})
	}
	if got, err := os.ReadFile(secret); err != nil || string(got) != "xyzzy" {
		t.Errorf("the token is %q, %v", got, err)
	}
}
