// SPDX-License-Identifier: Apache-2.0

package nsjail

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/ccee-dev/ccee/e2e/patience"
)

// TestAsRunc runs the same program with the same configuration in a sandbox and by runc, the reference of the OCI runtime specification
// whose words Config and Process use: what the kernel says of the program must be the same, and no mount of ours may allow more.
func TestAsRunc(t *testing.T) {
	b := requireSandbox(t)
	runc, err := exec.LookPath("runc")
	if err != nil {
		if os.Getenv("SANDBOX_ALONE") != "" {
			return // the virtual machine has none, and the comparison is not about the kernel
		}
		t.Fatal("needs runc: make test-deps")
	}
	cfg, p := b.config(), process("show", "/proc/self/status", "/proc/self/limits", "/proc/self/mountinfo", "/proc/self/environ", "/proc/sys/kernel/hostname")
	p.Umask = 0o027
	p.Decide = nil
	ours := seen(string(b.runIn(t, cfg, p).Stdout.Data))
	theirs := seen(runByRunc(t, runc, b.root, cfg, p))
	// A container of runc ignores the signals that its caller ignores; a sandbox ignores none.
	theirs.facts["SigIgn:"] = without(t, theirs.facts["SigIgn:"], ignoredHere(t))
	theirs.facts["environ"] = strings.TrimSuffix(theirs.facts["environ"], "\x00HOME=/") // which runc adds; nothing is added here
	for _, key := range []string{
		"Uid:", "Gid:", "Groups:", "Umask:", "NoNewPrivs:", "Seccomp:", "CapInh:", "CapPrm:", "CapEff:", "CapBnd:", "CapAmb:",
		"SigBlk:", "SigIgn:", "SigCgt:", "Max file size", "Max open files", "environ", "hostname",
	} {
		if ours.facts[key] != theirs.facts[key] || ours.facts[key] == "" {
			t.Errorf("%s %q, by runc %q", key, ours.facts[key], theirs.facts[key])
		}
	}
	for _, at := range []string{"/", "/proc", "/workspace", "/tmp", "/dev/shm"} {
		mine, known := ours.mounts[at]
		if !known || len(theirs.mounts[at]) == 0 {
			t.Errorf("%s is mounted %v, by runc %v", at, mine, theirs.mounts[at])
		}
		for _, option := range theirs.mounts[at] {
			if !slices.Contains(mine, option) {
				t.Errorf("%s is mounted %v, by runc %v", at, mine, theirs.mounts[at])
			}
		}
	}
}

// ignoredHere is the mask of the signals that this process was told to ignore; see proc_pid_status(5).
func ignoredHere(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Fatal(err)
	}
	return seen(string(text)).facts["SigIgn:"]
}

// without returns a mask of signals without those of another.
func without(t *testing.T, mask, other string) string {
	t.Helper()
	a, err1 := strconv.ParseUint(mask, 16, 64)
	b, err2 := strconv.ParseUint(other, 16, 64)
	if err := errors.Join(err1, err2); err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("%016x", a&^b)
}

// view is what a program sees of itself.
type view struct {
	facts  map[string]string
	mounts map[string][]string // options by place, those of the mount and the sizes of its file system
}

func seen(text string) view {
	v := view{map[string]string{}, map[string][]string{}}
	for line := range strings.Lines(text) {
		words := strings.Fields(line)
		switch {
		case len(words) > 1 && strings.HasSuffix(words[0], ":"): // status
			v.facts[words[0]] = strings.Join(words[1:], " ")
		case len(words) == 1 && strings.HasSuffix(words[0], ":"):
			v.facts[words[0]] = "none"
		case strings.HasPrefix(line, "Max "):
			v.facts[strings.TrimSpace(line[:25])] = strings.Join(strings.Fields(line[25:]), " ")
		case len(words) > 9 && slices.Contains(words, "-"): // mountinfo; the last mount at a place is the one that is seen
			for option := range strings.SplitSeq(words[5]+","+words[len(words)-1], ",") {
				if o := strings.SplitN(option, "=", 2); len(o) == 1 && o[0] != "rw" && o[0] != "relatime" || o[0] == "size" || o[0] == "nr_inodes" {
					v.mounts[words[4]] = append(v.mounts[words[4]], option)
				}
			}
		case strings.Contains(line, "\x00"):
			end := strings.LastIndex(line, "\x00")
			v.facts["environ"], v.facts["hostname"] = line[:end], strings.TrimSpace(line[end+1:])
		}
	}
	return v
}

// runByRunc runs p in a container of cfg and returns its output.
func runByRunc(t *testing.T, runc, root string, cfg Config, p Process) string {
	t.Helper()
	bundle := t.TempDir()
	for dir := bundle; dir != "/tmp" && dir != "/"; dir = filepath.Dir(dir) { // root of the container is another user
		if err := os.Chmod(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	config, err := json.Marshal(ociConfig(root, cfg, p))
	if err == nil {
		err = os.WriteFile(filepath.Join(bundle, "config.json"), config, 0o644)
	}
	if err != nil {
		t.Fatal(err)
	}
	name := fmt.Sprintf("ccee-test-%d", os.Getpid())
	cmd := exec.CommandContext(patience.Context(t), runc, "--root", filepath.Join(bundle, "state"), "run", "--bundle", bundle, name)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return string(out)
}

// object is one of JSON.
type object = map[string]any

// ociConfig is cfg and p as the OCI runtime specification writes them.
func ociConfig(root string, cfg Config, p Process) object {
	mounts := []object{
		{"destination": "/proc", "type": "proc", "source": "proc", "options": []string{"nosuid", "noexec", "nodev"}},
		{"destination": "/dev", "type": "tmpfs", "source": "tmpfs", "options": []string{"nosuid", "noexec", "mode=755"}},
	}
	for _, m := range cfg.Mounts {
		options := []string{
			"nosuid", "nodev", fmt.Sprintf("size=%d", m.Size), fmt.Sprintf("nr_inodes=%d", m.Inodes),
			fmt.Sprintf("mode=%o", m.Mode), fmt.Sprintf("uid=%d", m.UID), fmt.Sprintf("gid=%d", m.GID),
		}
		if !m.Exec {
			options = append(options, "noexec")
		}
		mounts = append(mounts, object{"destination": m.Destination, "type": "tmpfs", "source": "tmpfs", "options": options})
	}
	var namespaces []object
	for _, ns := range []string{"user", "pid", "mount", "ipc", "uts", "network", "cgroup"} {
		namespaces = append(namespaces, object{"type": ns})
	}
	var rlimits []object
	names := map[int]string{unix.RLIMIT_FSIZE: "RLIMIT_FSIZE", unix.RLIMIT_NOFILE: "RLIMIT_NOFILE"}
	for _, r := range p.Rlimits {
		rlimits = append(rlimits, object{"type": names[r.Type], "soft": r.Soft, "hard": r.Hard})
	}
	return object{
		"ociVersion": "1.0.2", "hostname": cfg.Hostname, "mounts": mounts,
		"root": object{"path": root, "readonly": true},
		"process": object{
			"args": p.Args, "env": p.Env, "cwd": p.Cwd, "user": object{"uid": p.UID, "gid": p.GID, "umask": p.Umask},
			"noNewPrivileges": true, "rlimits": rlimits, "capabilities": object{},
		},
		"linux": object{
			"namespaces": namespaces, "uidMappings": ociMaps(cfg.UIDMappings), "gidMappings": ociMaps(cfg.GIDMappings),
			"maskedPaths": cfg.MaskedPaths, "readonlyPaths": []string{"/proc"},
			"seccomp": object{"defaultAction": "SCMP_ACT_ALLOW", "syscalls": []object{{"names": []string{"keyctl"}, "action": "SCMP_ACT_ERRNO"}}},
		},
	}
}

func ociMaps(maps []IDMap) (list []object) {
	for _, m := range maps {
		list = append(list, object{"containerID": m.ContainerID, "hostID": m.HostID, "size": m.Size})
	}
	return list
}
