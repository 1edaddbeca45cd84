// SPDX-License-Identifier: Apache-2.0

package nsjail

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/opencontainers/cgroups"
	"golang.org/x/sys/unix"
)

// On v2 a cgroup other than the machine's root may have processes or controllers for its children, not both: the "no internal processes"
// rule of cgroups(7). In a container with a cgroup namespace the root is the container's own cgroup, and the daemon is in it, with
// everything beside it. By that rule all of them must move into one leaf; they stay below the container's cgroup, so each of its limits
// still holds for them.

// hostLeaf is the name of that leaf. It stays until the container ends.
const hostLeaf = "ccee-host"

// checkDelegation is an error if a part of the v2 tree can't be used.
func checkDelegation(root string) error {
	if err := unix.Access(root, unix.W_OK); errors.Is(err, unix.EROFS) {
		return fmt.Errorf("cgroup v2: %s is mounted read-only: start the container with --privileged", root)
	}
	if _, err := os.Stat(root + "/cgroup.controllers"); err != nil {
		return fmt.Errorf("cgroup v2: %w", err)
	}
	why := "is not there: boot without cgroup_disable=%[1]s, and mount no v1 tree that has it"
	if _, err := os.Stat(root + "/cgroup.type"); err == nil { // the machine's root has no such file
		why = "is not delegated to this container: put +%[1]s into cgroup.subtree_control of each cgroup above it " +
			"(systemd: Delegate=memory cpu pids in the unit that runs it; for a rootless one in user@.service)"
	}
	var errs []error
	for _, c := range controllers {
		if !has(root, c) {
			errs = append(errs, fmt.Errorf("cgroup v2 controller %[1]s "+why, c))
		}
	}
	return errors.Join(errs...)
}

// has reports whether dir, a cgroup of a v2 tree, can have that controller.
func has(dir, controller string) bool {
	b, err := os.ReadFile(dir + "/cgroup.controllers")
	return err == nil && slices.Contains(strings.Fields(string(b)), controller)
}

// enableDownTo turns controllers on from root down to the cgroup of that name, for its children too.
func enableDownTo(root, name string, controllers ...string) error {
	dir := root
	for _, part := range append([]string{""}, strings.Split(filepath.Clean(name), "/")...) {
		dir = filepath.Join(dir, part)
		if err := enable(dir, controllers...); err != nil {
			return fmt.Errorf("enable controllers in %s: %w", dir, err)
		}
	}
	return nil
}

// enable turns controllers on for the children of dir, a cgroup of a v2 tree.
func enable(dir string, controllers ...string) error {
	const tries = 10 // a process that forks while it is moved may leave its child behind
	var err, refused error
	for range tries {
		err = writeFile(dir, "cgroup.subtree_control", "+"+strings.Join(controllers, " +"))
		if !errors.Is(err, unix.EBUSY) {
			return err
		}
		refused = evacuate(dir)
	}
	return errors.Join(err, refused)
}

// evacuate moves the processes of dir into a leaf below it.
func evacuate(dir string) error {
	leaf := dir + "/" + hostLeaf
	if err := os.Mkdir(leaf, 0o755); err != nil && !errors.Is(err, os.ErrExist) {
		return err
	}
	pids, err := cgroups.GetPids(dir)
	if err != nil {
		return err
	}
	strangers := 0
	var errs []error
	for _, pid := range pids {
		if pid == 0 {
			strangers++
			continue
		}
		if err := writeFile(leaf, "cgroup.procs", strconv.Itoa(pid)); err != nil && !errors.Is(err, unix.ESRCH) {
			errs = append(errs, fmt.Errorf("move process %d: %w", pid, err))
		}
	}
	if strangers > 0 {
		// The kernel shows those as 0: they have no number here by which they could be moved.
		errs = append(errs, fmt.Errorf("processes of another pid namespace (%d) are in %s: move them from the host into another "+
			"cgroup, or start the container with --pid=host", strangers, dir))
	}
	return errors.Join(errs...)
}
