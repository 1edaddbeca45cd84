// SPDX-License-Identifier: Apache-2.0

package nsjail

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/ccee-dev/ccee/e2e/fargate"
	"github.com/ccee-dev/ccee/e2e/patience"
)

// allowAll is a seccomp filter of one instruction: BPF_RET, SECCOMP_RET_ALLOW. Policies are tested in package seccomp.
var allowAll = []byte{0x06, 0, 0, 0, 0, 0, 0xff, 0x7f}

// box is what the tests share: an image with one program, a spawner.
type box struct {
	root    string
	cgroups *Cgroups
	spawner *Spawner
}

var shared *box // set by TestMain before any test, nil where the sandbox can't work

func TestMain(m *testing.M) {
	fargate.Enter()
	if os.Getenv(taskDir) != "" { // a container without the rights that the other tests need
		os.Exit(m.Run())
	}
	if err := enterContainer(); err != nil {
		fmt.Fprintln(os.Stderr, "container:", err)
		os.Exit(1)
	}
	os.Exit(runTests(m))
}

func runTests(m *testing.M) int {
	if os.Geteuid() != 0 {
		return m.Run()
	}
	dir, err := os.MkdirTemp("", "nsjail-test-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	b, err := newBox(dir)
	if err != nil {
		fmt.Fprintln(os.Stderr, "sandbox:", err)
		return 1
	}
	shared = b
	code := m.Run()
	if err := b.spawner.Close(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	if err := b.cgroups.Close(); err != nil { // fails when a cgroup was left below it
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	return code
}

// makeImage makes an image in dir.
func makeImage(dir string) (root string, err error) {
	root = filepath.Join(dir, "image")
	for _, d := range []string{"proc", "dev", "sys", "tmp", "workspace", "etc"} {
		if err := os.MkdirAll(filepath.Join(root, d), 0o755); err != nil {
			return "", err
		}
	}
	if err := os.Chmod(dir, 0o755); err != nil {
		return "", err
	}
	return root, makeProgram(filepath.Join(root, "prog"))
}

func newBox(dir string) (*box, error) {
	root, err := makeImage(dir)
	if err != nil {
		return nil, err
	}
	cgroups, err := OpenCgroups(fmt.Sprintf("ccee-nsjail-test-%d", os.Getpid()))
	if err != nil {
		return nil, err
	}
	exe := "/proc/self/exe"
	if e := os.Getenv("SANDBOX_INIT"); e != "" { // one built with sanitizers
		exe = e
	}
	spawner, err := newSpawner(exe, cgroups, dir)
	if err != nil {
		return nil, err
	}
	return &box{root, cgroups, spawner}, nil
}

// makeProgram builds testdata/*.c with the probes of package escape, or copies what was built beforehand for a machine without
// a compiler.
func makeProgram(to string) error {
	if built := os.Getenv("SANDBOX_PROG"); built != "" {
		b, err := os.ReadFile(built)
		if err != nil {
			return err
		}
		return os.WriteFile(to, b, 0o755)
	}
	var sources []string
	for _, pattern := range []string{"testdata/*.c", "escape/*.c", "shared/*.c"} {
		found, err := filepath.Glob(pattern)
		if err != nil {
			return err
		}
		sources = append(sources, found...)
	}
	out, err := exec.Command("gcc", append([]string{"-O1", "-static", "-o", to}, sources...)...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("gcc testdata/*.c: %w\n%s", err, out)
	}
	return nil
}

func requireSandbox(t testing.TB) *box {
	t.Helper()
	if shared == nil {
		if os.Getenv("SANDBOX_MUST_WORK") == "1" {
			t.Fatal("needs root")
		}
		t.Skip("needs root")
	}
	return shared
}

func testResources() Resources {
	return Resources{MemoryMax: 64 << 20, PidsMax: 32, CPUMillicores: 2000}
}

func (b *box) config() Config {
	const uid = 1_879_000_000
	ids := []IDMap{{ContainerID: 0, HostID: uid, Size: 1}, {ContainerID: 1000, HostID: uid + 1, Size: 1}}
	return Config{
		Root: b.root, Hostname: "sandbox", UIDMappings: ids, GIDMappings: ids,
		Mounts: []Tmpfs{
			{Destination: "/workspace", Size: 8 << 20, Inodes: 128, Mode: 0o755, UID: 1000, GID: 1000, Exec: true, Symlinks: true},
			{Destination: "/tmp", Size: 4 << 20, Inodes: 64, Mode: 0o1777, Symlinks: true},
			{Destination: "/dev/shm", Size: 4 << 20, Inodes: 64, Mode: 0o1777},
		},
		MaskedPaths: []string{"/proc/kcore", "/proc/keys", "/proc/acpi"},
		Resources:   testResources(),
	}
}

func process(args ...string) Process {
	return Process{
		Args: append([]string{"/prog"}, args...), Env: []string{"PATH=/", "A=b c"}, Cwd: "/workspace", UID: 1000, GID: 1000, Umask: 0o022,
		Rlimits:   []Rlimit{{Type: unix.RLIMIT_FSIZE, Soft: 1 << 20, Hard: 1 << 20}, {Type: unix.RLIMIT_NOFILE, Soft: 64, Hard: 64}},
		Seccomp:   allowAll,
		Resources: testResources(),
		WallTime:  patience.Long(), CPUTime: patience.Long(), OutputMax: 65536, FloodMax: 1 << 20,
	}
}

// apart is a box with a parent cgroup of its own, for what holds for all sandboxes of one.
func apart(t *testing.T, root string) *box {
	t.Helper()
	cgroups, err := OpenCgroups(fmt.Sprintf("ccee-nsjail-apart-%d", os.Getpid()))
	if err != nil {
		t.Fatal(err)
	}
	spawner, err := newSpawner("/proc/self/exe", cgroups, filepath.Dir(root))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := errors.Join(spawner.Close(), cgroups.Close()); err != nil {
			t.Error(err)
		}
	})
	return &box{root, cgroups, spawner}
}

// slow is the time that a program needs here for what d is enough for on a fast machine.
func slow(d time.Duration) time.Duration { return time.Duration(patience.Slowness()) * d }

func (b *box) sandbox(t testing.TB) *Sandbox { return b.sandboxOf(t, b.config()) }

func (b *box) sandboxOf(t testing.TB, cfg Config) *Sandbox {
	t.Helper()
	sb, err := b.spawner.New(context.Background(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := sb.Close(); err != nil {
			t.Error(err)
		}
	})
	return sb
}

// run runs one process in a sandbox of its own.
func (b *box) run(t testing.TB, p Process) Result {
	return b.runIn(t, b.config(), p)
}

func (b *box) runIn(t testing.TB, cfg Config, p Process) Result {
	return b.runStep(t, b.sandboxOf(t, cfg), p)
}

func (b *box) runStep(t testing.TB, sb *Sandbox, p Process) Result {
	t.Helper()
	r, err := sb.Run(patience.Context(t), p)
	if err != nil {
		t.Fatal(err)
	}
	return r
}
