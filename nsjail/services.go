// SPDX-License-Identifier: Apache-2.0

package nsjail

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// Services is a cgroup beside the jails' parent, for the processes that serve them.
type Services struct{ dir string }

// servicesWeight is four times the default weight of all jails on a large machine: services need little CPU time, but at once.
const servicesWeight = 4000 // as cpu.weight

// OpenServices makes, or finds, the cgroup for the services of the jails whose parent cgroup has that name, and sets its weight. It is nil
// if this process is in a cgroup of somebody else's, such as systemd's: its children would escape the limits and the supervision of that.
func OpenServices(name string) (*Services, error) {
	h, err := findHierarchies()
	if err != nil {
		return nil, err
	}
	self, err := os.ReadFile("/proc/self/cgroup")
	if err != nil {
		return nil, err
	}
	controller := "cpu"
	if h.v2() {
		controller = ""
	}
	if own := ownCgroup(string(self), controller); own != "/" && own != "/"+hostLeaf {
		return nil, nil
	}
	if h.v2() {
		if err := enable(h.cpu, controllers...); err != nil {
			return nil, err
		}
	}
	s := &Services{filepath.Join(h.cpu, strings.ReplaceAll(name, "/", "-")+"-services")}
	if err := os.MkdirAll(s.dir, 0o755); err != nil {
		return nil, fmt.Errorf("make cgroup: %w", err)
	}
	if err := weightWrite(h.v2(), s.dir, servicesWeight).to(s.dir); err != nil {
		return nil, fmt.Errorf("set the weight of %s: %w", s.dir, err)
	}
	return s, nil
}

// ownCgroup is the path of the tree with that controller, "" for v2's, in the text of /proc/self/cgroup; see cgroups(7).
func ownCgroup(text, controller string) string {
	for line := range strings.Lines(text) {
		f := strings.SplitN(strings.TrimSpace(line), ":", 3)
		if len(f) == 3 && slices.Contains(strings.Split(f[1], ","), controller) {
			return f[2]
		}
	}
	return ""
}

// Join moves a process into it.
func (s *Services) Join(pid int) error {
	if s == nil {
		return nil
	}
	return writeFile(s.dir, "cgroup.procs", strconv.Itoa(pid))
}

// Close removes the cgroup, whose processes must have ended.
func (s *Services) Close() error {
	if s == nil {
		return nil
	}
	return removeDir(s.dir)
}

// weightWrite sets a cgroup's weight for CPU time; 100 is the default, and that of a process beside it.
func weightWrite(v2 bool, dir string, weight int64) write {
	if v2 {
		return write{dir, "cpu.weight", weight}
	}
	const usualShares, usualWeight = 1024, 100
	return write{dir, "cpu.shares", weight * usualShares / usualWeight}
}
