// SPDX-License-Identifier: Apache-2.0

package supervise

import (
	"os/user"
	"strconv"
	"syscall"
)

// unprivilegedID is the uid and gid of redis-server, worker and api on a machine without a user ccee. It lies above the
// ids that adduser gives and belongs to nobody.
const unprivilegedID = 61523

// Identity is the unprivileged user that every part but the daemon runs as.
type Identity struct {
	UID, GID int
	Named    bool // a user ccee exists
}

// Unprivileged looks up the user ccee; without one it returns an id that belongs to nobody.
func Unprivileged() Identity {
	if u, err := user.Lookup("ccee"); err == nil {
		uid, errU := strconv.Atoi(u.Uid)
		gid, errG := strconv.Atoi(u.Gid)
		if errU == nil && errG == nil && uid != 0 {
			return Identity{UID: uid, GID: gid, Named: true}
		}
	}
	return Identity{UID: unprivilegedID, GID: unprivilegedID}
}

// credential is what a child process is started with. Groups is nil on purpose: the child gets no supplementary group.
func (id Identity) credential() *syscall.Credential {
	return &syscall.Credential{Uid: uint32(id.UID), Gid: uint32(id.GID)}
}
