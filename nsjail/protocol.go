// SPDX-License-Identifier: Apache-2.0

package nsjail

/*
#cgo CFLAGS: -O2 -Wall -Wextra -Werror
#include "init.h"
*/
import "C"

import (
	"encoding/binary"
	"fmt"
	"strings"
)

// The ops of init.h; see there for their arguments.
const (
	opWait        = C.OP_WAIT
	opSpawn       = C.OP_SPAWN
	opExec        = C.OP_EXEC
	opContinue    = C.OP_CONTINUE
	opUnshare     = C.OP_UNSHARE
	opSetIDs      = C.OP_SET_IDS
	opDeathSignal = C.OP_DEATH_SIGNAL
	opNotDumpable = C.OP_NOT_DUMPABLE
	opKeyring     = C.OP_KEYRING
	opUninherit   = C.OP_UNINHERIT
	opCoreCookie  = C.OP_CORE_COOKIE
	opSubreaper   = C.OP_SUBREAPER
	opShared      = C.OP_SHARED
	opProcWrite   = C.OP_PROC_WRITE
	opHostname    = C.OP_HOSTNAME
	opLoopback    = C.OP_LOOPBACK
	opPrivate     = C.OP_PRIVATE
	opBase        = C.OP_BASE
	opMkdir       = C.OP_MKDIR
	opMknod       = C.OP_MKNOD
	opSymlink     = C.OP_SYMLINK
	opMount       = C.OP_MOUNT
	opBind        = C.OP_BIND
	opMask        = C.OP_MASK
	opPivot       = C.OP_PIVOT
	opOpen        = C.OP_OPEN
	opFile        = C.OP_FILE
	opData        = C.OP_DATA
	opSource      = C.OP_SOURCE
	opCopy        = C.OP_COPY
	opRlimit      = C.OP_RLIMIT
	opArgs        = C.OP_ARGS
	opEnv         = C.OP_ENV
	opSeccomp     = C.OP_SECCOMP
	opLandlock    = C.OP_LANDLOCK
	opPermit      = C.OP_PERMIT
	opPermitSelf  = C.OP_PERMIT_SELF
)

// The replies of init.h.
const (
	replyReady   = C.REPLY_READY
	replySpawned = C.REPLY_SPAWNED
	replyStarted = C.REPLY_STARTED
	replyExited  = C.REPLY_EXITED
	replyPaused  = C.REPLY_PAUSED
	replyFailed  = C.REPLY_FAILED
)

const (
	packetMax  = C.PACKET_MAX
	rlimitsMax = C.RLIMITS_MAX
	stringsMax = C.STRINGS_MAX
	opHeader   = C.sizeof_struct_op
	replySize  = C.sizeof_struct_reply
)

var opNames = map[uint32]string{
	opWait: "wait", opSpawn: "spawn", opExec: "exec", opContinue: "continue", opUnshare: "unshare", opSetIDs: "set ids",
	opDeathSignal: "death signal", opNotDumpable: "not dumpable", opKeyring: "session keyring",
	opUninherit: "inherit nothing", opCoreCookie: "core scheduling cookie", opSubreaper: "subreaper", opShared: "shared pid namespace",
	opProcWrite: "write", opHostname: "hostname", opLoopback: "loopback up", opPrivate: "make private", opBase: "base", opMkdir: "mkdir",
	opMknod: "mknod", opSymlink: "symlink", opMount: "mount", opBind: "bind", opMask: "mask", opPivot: "pivot_root", opOpen: "open",
	opFile: "write file", opData: "write more", opSource: "copy from", opCopy: "copy file", opRlimit: "rlimit", opArgs: "args", opEnv: "env", opSeccomp: "seccomp",
	opLandlock: "landlock", opPermit: "permit", opPermitSelf: "permit own executable",
}

// execStages are the names of enum exec_stage: the part of EXEC that failed.
var execStages = map[uint64]string{
	C.STAGE_FORK: "fork", C.STAGE_SETSID: "setsid", C.STAGE_STDIO: "dup2", C.STAGE_CLOSE_RANGE: "close_range",
	C.STAGE_RLIMIT: "prlimit", C.STAGE_CAPABILITIES: "drop capabilities", C.STAGE_IDS: "setresuid", C.STAGE_CWD: StageChdir,
	C.STAGE_NO_NEW_PRIVS: "no_new_privs", C.STAGE_LANDLOCK: "landlock_restrict_self", C.STAGE_SECCOMP: "seccomp", C.STAGE_EXECVE: StageExecve,
	C.STAGE_CONTINUE: "continue",
}

// op is one order to sandbox-init.
type op struct {
	code uint32
	arg  [4]uint64
	strs []string
	data []byte // follows the strings
	// note says in golden files what the strings don't: "uid 1000 gid 1000".
	note string
}

// String is how golden files and errors show an op.
func (o op) String() string {
	var b strings.Builder
	b.WriteString(opNames[o.code])
	for _, s := range o.strs {
		fmt.Fprintf(&b, " %q", s)
	}
	if o.note != "" {
		b.WriteString(" " + o.note)
	}
	return b.String()
}

// subject is the op without its options, for errors: "mount /tmp".
func (o op) subject() string {
	name := opNames[o.code]
	switch o.code {
	case opMount, opBind:
		return name + " /" + strings.TrimPrefix(o.strs[1], "/")
	case opProcWrite:
		return name + " " + o.strs[0]
	case opMkdir, opMknod, opSymlink, opMask, opOpen, opFile, opCopy, opPermit:
		return name + " /" + o.strs[0]
	case opBase:
		return "open " + o.strs[0]
	}
	return name
}

// encode appends the wire form of o to b.
func (o op) encode(b []byte) []byte {
	start := len(b)
	b = append(b, make([]byte, opHeader)...)
	for _, s := range o.strs {
		b = append(append(b, s...), 0)
	}
	b = append(b, o.data...)
	for (len(b)-start)%8 != 0 {
		b = append(b, 0)
	}
	h := b[start:]
	binary.NativeEndian.PutUint32(h[0:], o.code)
	binary.NativeEndian.PutUint32(h[4:], uint32(len(b)-start))
	for i, a := range o.arg {
		binary.NativeEndian.PutUint64(h[8+8*i:], a)
	}
	return b
}

// encodePacket makes one packet of ops.
func encodePacket(ops []op) ([]byte, error) {
	var b []byte
	for _, o := range ops {
		b = o.encode(b)
	}
	if len(b) > packetMax {
		return nil, fmt.Errorf("packet of %d bytes for sandbox-init: at most %d", len(b), packetMax)
	}
	return b, nil
}

// reply is one report of sandbox-init.
type reply struct {
	code uint64
	arg  [5]uint64
}

// decodeReply refuses whatever is not exactly one known reply.
func decodeReply(b []byte) (reply, error) {
	var r reply
	if len(b) != replySize {
		return r, fmt.Errorf("reply of %d bytes from sandbox-init: want %d", len(b), replySize)
	}
	r.code = binary.NativeEndian.Uint64(b)
	for i := range r.arg {
		r.arg[i] = binary.NativeEndian.Uint64(b[8+8*i:])
	}
	if r.code < replyReady || r.code > replyFailed {
		return r, fmt.Errorf("reply with unknown code %d from sandbox-init", r.code)
	}
	return r, nil
}
