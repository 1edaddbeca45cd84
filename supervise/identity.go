package main

import (
	"os/user"
	"strconv"
	"syscall"
)

// unprivilegedID is the uid and gid of redis-server, worker and api on a machine without a user ccee. It lies above the
// ids that adduser gives and belongs to nobody.
const unprivilegedID = 61523

// identity is the unprivileged user that everything but the daemon runs as.
type identity struct {
	uid, gid int
	named    bool // a user ccee exists
}

// unprivileged looks the user ccee up.
func unprivileged() identity {
	if u, err := user.Lookup("ccee"); err == nil {
		uid, errU := strconv.Atoi(u.Uid)
		gid, errG := strconv.Atoi(u.Gid)
		if errU == nil && errG == nil && uid != 0 {
			return identity{uid: uid, gid: gid, named: true}
		}
	}
	return identity{uid: unprivilegedID, gid: unprivilegedID}
}

// credential is what a child process is started with: no supplementary groups of ours.
func (id identity) credential() *syscall.Credential {
	return &syscall.Credential{Uid: uint32(id.uid), Gid: uint32(id.gid)}
}
