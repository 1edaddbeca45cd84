// SPDX-License-Identifier: Apache-2.0

package nsjail

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// Access that Landlock can take away.
const (
	landlockRead  = unix.LANDLOCK_ACCESS_FS_READ_FILE | unix.LANDLOCK_ACCESS_FS_READ_DIR
	landlockWrite = unix.LANDLOCK_ACCESS_FS_WRITE_FILE | unix.LANDLOCK_ACCESS_FS_REMOVE_DIR | unix.LANDLOCK_ACCESS_FS_REMOVE_FILE |
		unix.LANDLOCK_ACCESS_FS_MAKE_DIR | unix.LANDLOCK_ACCESS_FS_MAKE_REG | unix.LANDLOCK_ACCESS_FS_MAKE_SOCK |
		unix.LANDLOCK_ACCESS_FS_MAKE_FIFO | unix.LANDLOCK_ACCESS_FS_MAKE_SYM
	landlockDevices = unix.LANDLOCK_ACCESS_FS_MAKE_CHAR | unix.LANDLOCK_ACCESS_FS_MAKE_BLOCK // nobody gets these

	// landlockSilent: each denial of a domain is a record in the host's audit log, with no bound but a processor's speed, and a host may be
	// set to panic where records are lost (auditctl -f 2). SAME_EXEC_OFF is for this domain until execve, after which it never logs;
	// SUBDOMAINS_OFF is for domains that a program makes for itself. See landlock_restrict_self(2).
	landlockSilent = unix.LANDLOCK_RESTRICT_SELF_LOG_SAME_EXEC_OFF | unix.LANDLOCK_RESTRICT_SELF_LOG_SUBDOMAINS_OFF
)

// ruleset is what a ruleset of Landlock handles, as far as the kernel's ABI goes: all is denied but what a rule permits.
type ruleset struct{ all, write, net, scopes, flags uint64 }

// landlockRuleset is the ruleset of a sandbox. What only newer kernels know is left out on older ones; ABI 1 is Linux 5.13.
func (h host) landlockRuleset(loopback bool) ruleset {
	r := ruleset{write: landlockWrite}
	var control uint64
	if h.landlock >= 2 {
		r.write |= unix.LANDLOCK_ACCESS_FS_REFER
	}
	if h.landlock >= 3 {
		r.write |= unix.LANDLOCK_ACCESS_FS_TRUNCATE
	}
	if h.landlock >= 4 && !loopback { // it knows ports but no addresses: there is nowhere to go but the loopback
		r.net = unix.LANDLOCK_ACCESS_NET_BIND_TCP | unix.LANDLOCK_ACCESS_NET_CONNECT_TCP
	}
	if h.landlock >= 5 {
		control = unix.LANDLOCK_ACCESS_FS_IOCTL_DEV // of the devices in /dev, terminals among them, and of none that is anywhere else
	}
	if h.landlock >= 6 {
		r.scopes = unix.LANDLOCK_SCOPE_ABSTRACT_UNIX_SOCKET | unix.LANDLOCK_SCOPE_SIGNAL
	}
	if h.landlock >= 7 {
		r.flags = landlockSilent
	}
	r.all = landlockRead | r.write | unix.LANDLOCK_ACCESS_FS_EXECUTE | landlockDevices | control
	return r
}

func (r ruleset) op() op {
	return op{
		code: opLandlock, arg: [4]uint64{r.all, r.net, r.scopes, r.flags},
		note: fmt.Sprintf("files %#x networks %#x scopes %#x flags %#x", r.all, r.net, r.scopes, r.flags),
	}
}

// landlockProgram restricts programs once more, independently of mounts and namespaces: a mount with too many rights, or a path
// to somewhere else, is then still of no use.
func (h host) landlockProgram(cfg Config) []op {
	if h.landlock == 0 {
		return nil
	}
	const execute = unix.LANDLOCK_ACCESS_FS_EXECUTE
	r := h.landlockRuleset(cfg.Loopback)
	control := r.all & unix.LANDLOCK_ACCESS_FS_IOCTL_DEV
	ops := []op{
		r.op(),
		permit("", landlockRead|execute),
		permit("dev", landlockRead|control|r.write&(unix.LANDLOCK_ACCESS_FS_WRITE_FILE|unix.LANDLOCK_ACCESS_FS_TRUNCATE)),
		permit("proc", landlockRead|unix.LANDLOCK_ACCESS_FS_WRITE_FILE),
	}
	if h.initOnOverlay {
		// The probes of the self-test are linked into it. Programs of jobs find no path to it: sandbox-init's /proc/PID/exe is closed to
		// them. Where it is a memfd, on no mounted file system, Landlock has nothing to restrict.
		ops = append(ops, op{code: opPermitSelf, arg: [4]uint64{execute | unix.LANDLOCK_ACCESS_FS_READ_FILE}})
	}
	for _, m := range cfg.Mounts {
		access := landlockRead | r.write
		if m.Exec {
			access |= execute
		}
		ops = append(ops, permit(rel(m.Destination), access))
	}
	return ops
}

func permit(target string, access uint64) op {
	return op{code: opPermit, arg: [4]uint64{access}, strs: []string{target}, note: fmt.Sprintf("%#x", access)}
}
