// SPDX-License-Identifier: Apache-2.0

package daemon

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"os"
	"slices"
	"unsafe"

	"golang.org/x/sys/unix"
)

// peer is the process that connected, as the kernel recorded it at that moment: see SO_PEERCRED and SO_PEERGROUPS in unix(7).
type peer struct {
	pid      int32
	uid, gid uint32
	groups   []uint32
	err      error // why its credentials could not be read
}

// mayUse reports whether p may use the socket: root, the daemon's own user, and the members of the group. The mode of the
// socket allows the same; this also holds if somebody has changed it.
func (p peer) mayUse(gid int) bool {
	if p.err != nil {
		return false
	}
	group := uint32(gid)
	return p.uid == 0 || p.uid == uint32(os.Geteuid()) || p.gid == group || slices.Contains(p.groups, group)
}

type peerKey struct{}

// withPeer is the server's ConnContext.
func withPeer(ctx context.Context, c net.Conn) context.Context {
	return context.WithValue(ctx, peerKey{}, peerOf(c))
}

// peerFrom is the peer of a request's connection.
func peerFrom(ctx context.Context) peer {
	p, ok := ctx.Value(peerKey{}).(peer)
	if !ok {
		return peer{err: errors.New("the connection has no peer")}
	}
	return p
}

func peerOf(c net.Conn) peer {
	u, ok := c.(*net.UnixConn)
	if !ok {
		return peer{err: fmt.Errorf("a connection of type %T has no peer credentials", c)}
	}
	raw, err := u.SyscallConn()
	if err != nil {
		return peer{err: err}
	}
	var p peer
	if err := raw.Control(func(fd uintptr) { p = readPeer(int(fd)) }); err != nil {
		return peer{err: err}
	}
	return p
}

func readPeer(fd int) peer {
	cred, err := unix.GetsockoptUcred(fd, unix.SOL_SOCKET, unix.SO_PEERCRED)
	if err != nil {
		return peer{err: os.NewSyscallError("getsockopt SO_PEERCRED", err)}
	}
	p := peer{pid: cred.Pid, uid: cred.Uid, gid: cred.Gid}
	p.groups, p.err = peerGroups(fd)
	return p
}

// peerGroups reads the peer's supplementary groups. x/sys/unix has no wrapper for an option with a list of ids.
func peerGroups(fd int) ([]uint32, error) {
	buf := make([]byte, 4*64)
	for {
		size := uint32(len(buf))
		_, _, errno := unix.Syscall6(unix.SYS_GETSOCKOPT, uintptr(fd), unix.SOL_SOCKET, unix.SO_PEERGROUPS,
			uintptr(unsafe.Pointer(unsafe.SliceData(buf))), uintptr(unsafe.Pointer(&size)), 0)
		switch {
		case errno == unix.ERANGE && int(size) > len(buf): // more groups than that: size says how many bytes
			buf = make([]byte, size)
			continue
		case errno != 0:
			return nil, os.NewSyscallError("getsockopt SO_PEERGROUPS", errno)
		}
		groups := make([]uint32, size/4)
		for i := range groups {
			groups[i] = binary.NativeEndian.Uint32(buf[4*i:])
		}
		return groups, nil
	}
}
