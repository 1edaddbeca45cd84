// SPDX-License-Identifier: Apache-2.0

package nsjail

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// Check is one property of the host.
type Check struct {
	Name   string // "memory controller"
	OK     bool
	Detail string // the finding
	Fix    string // how to mend it when not OK
	Needed bool   // false: only better to have
}

// Probe tries everything that the sandbox needs on this host, for ccee doctor and for readiness. It leaves
// nothing behind but, in a container, the leaf that processes had to move to.
func Probe() []Check {
	checks := []Check{rootCheck(), kernelCheck(), cgroupCheck(), userNamespaces(), killCheck(), diskCheck(), hostCheck(), coreCheck(), watchesCheck()}
	for _, c := range checks {
		if c.Needed && !c.OK {
			return checks
		}
	}
	return append(checks, sandboxCheck())
}

func rootCheck() Check {
	return Check{
		Name: "root", Needed: true, OK: os.Geteuid() == 0, Detail: fmt.Sprintf("effective user id %d", os.Geteuid()),
		Fix: "run as root: the daemon makes cgroups, mounts and id maps",
	}
}

func kernelCheck() Check {
	var u unix.Utsname
	err := unix.Uname(&u)
	release := unix.ByteSliceToString(u.Release[:])
	var major, minor int
	_, _ = fmt.Sscanf(release, "%d.%d", &major, &minor)
	return Check{
		Name: "kernel", Needed: true, OK: err == nil && (major > 5 || major == 5 && minor >= 14), Detail: "Linux " + release,
		Fix: "use Linux 5.14 or newer (nosymfollow, cgroup.kill); Debian 12 has 6.1",
	}
}

func cgroupCheck() Check {
	c := Check{Name: "cgroups", Needed: true, Fix: "see the detail; pure cgroup v2 with memory, cpu and pids is best"}
	h, err := findHierarchies()
	switch {
	case err != nil:
		c.Detail = strings.ReplaceAll(err.Error(), "\n", "; ")
	case h.v2():
		c.OK, c.Detail = true, "v2: memory, cpu, pids"
	case h.unified != "":
		c.OK, c.Detail = true, "hybrid: memory, cpu, pids on v1, cpu.stat and clone on v2"
	default:
		c.OK, c.Detail = true, "v1: memory, cpu, pids, cpuacct"
	}
	return c
}

func userNamespaces() Check {
	b, err := os.ReadFile("/proc/sys/user/max_user_namespaces")
	limit := strings.TrimSpace(string(b))
	c := Check{
		Name: "user namespaces", Needed: true, OK: err == nil && limit != "0", Detail: "user.max_user_namespaces is " + limit,
		Fix: "sysctl user.max_user_namespaces=10000",
	}
	if err != nil {
		c.Detail, c.Fix = err.Error(), "use a kernel with CONFIG_USER_NS"
	}
	return c
}

func killCheck() Check {
	c := Check{
		Name: "cgroup.kill", Detail: "none: sandboxes are killed by their pid namespace alone",
		Fix: "use Linux 5.14 or newer with a cgroup v2 tree mounted",
	}
	if h, err := findHierarchies(); err == nil && h.unified != "" {
		// The machine's root has no such file; any other cgroup has, so the root in a container too.
		here, _ := filepath.Glob(h.unified + "/cgroup.kill")
		below, _ := filepath.Glob(h.unified + "/*/cgroup.kill")
		if len(here)+len(below) > 0 {
			c.OK, c.Detail = true, "there"
		}
	}
	return c
}

// coreCheck looks at how this host handles crashes.
func coreCheck() Check {
	b, err := os.ReadFile("/proc/sys/kernel/core_pattern")
	if errors.Is(err, os.ErrNotExist) { // built without core dumps
		return Check{Name: "crashes", OK: true, Detail: "the kernel dumps none"}
	}
	if err != nil {
		return Check{Name: "crashes", Detail: err.Error(), Fix: "see the detail"}
	}
	return judgeCores(strings.TrimSpace(string(b)))
}

// judgeCores judges a core_pattern; see core(5).
func judgeCores(pattern string) Check {
	c := Check{
		Name: "crashes", OK: true, Detail: fmt.Sprintf("core_pattern is %q, which starts nothing", pattern),
		Fix: "sysctl kernel.core_pattern=core, and keep apport and systemd-coredump from setting it again",
	}
	switch {
	case strings.HasPrefix(pattern, "|"):
		c.OK, c.Detail = false, fmt.Sprintf("core_pattern is %q: that program is not started for jobs, but each crash of one is a line in the kernel's log", pattern)
	case strings.HasPrefix(pattern, "@"):
		c.OK, c.Detail = false, fmt.Sprintf("core_pattern is %q: each crash of a job reaches the program at that socket, outside of the job's limits", pattern)
	}
	return c
}

// watchesCheck looks at how much one user, which is one job, can have waiting in epolls.
func watchesCheck() Check {
	const most = 65536
	path := "/proc/sys/fs/epoll/max_user_watches"
	v, err := readValue(filepath.Dir(path), filepath.Base(path), "")
	if err != nil {
		return Check{Name: "epoll watches", Detail: err.Error(), Fix: "see the detail"}
	}
	return Check{
		Name: "epoll watches", OK: v <= most, Detail: fmt.Sprintf("fs.epoll.max_user_watches is %d", v),
		Fix: fmt.Sprintf("sysctl fs.epoll.max_user_watches=%d bounds what a job can make whoever nests epolls on this host wait for", most),
	}
}

// sandboxCheck builds a real sandbox, as far as that goes without an image.
func sandboxCheck() Check {
	c := Check{
		Name: "a sandbox", Needed: true,
		Fix: "the detail names the step that the host refuses; a container needs CAP_SYS_ADMIN and an unmasked /proc (privileged)",
	}
	err := trySandbox()
	c.OK, c.Detail = err == nil, "built and removed"
	if err != nil {
		c.Detail = strings.ReplaceAll(err.Error(), "\n", "; ")
	}
	return c
}

func trySandbox() (err error) {
	dir, err := os.MkdirTemp("", "ccee-probe-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	if err := os.Chmod(dir, 0o755); err != nil { // the sandbox's root is not the host's
		return err
	}
	for _, d := range []string{"proc", "dev", "sys", "tmp"} {
		if err := os.Mkdir(filepath.Join(dir, d), 0o755); err != nil {
			return err
		}
	}
	cgroups, err := OpenCgroups(fmt.Sprintf("ccee-probe-%d", os.Getpid()))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, cgroups.Close()) }()
	spawner, err := NewSpawner(cgroups, dir)
	if err != nil {
		return err
	}
	defer spawner.Close()
	const free = 1_879_000_000 // ids that no account has
	ids := []IDMap{{ContainerID: 0, HostID: free, Size: 1}, {ContainerID: 1000, HostID: free + 1, Size: 1}}
	sb, err := spawner.New(context.Background(), Config{
		Root: dir, Hostname: "probe", UIDMappings: ids, GIDMappings: ids,
		Mounts:    []Tmpfs{{Destination: "/tmp", Size: 1 << 20, Inodes: 16, Mode: 0o1777}},
		Resources: Resources{MemoryMax: 16 << 20, PidsMax: 4, CPUMillicores: 1000},
	})
	if err != nil {
		return err
	}
	return errors.Join(sb.Ready(), sb.Close())
}
